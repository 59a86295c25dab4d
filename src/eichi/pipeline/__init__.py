"""Plan to latents to frames, as generators of events."""
