"""What a user keeps: presets, LoRA presets, favourites, section archives, and what comes from eichi 1.9."""
