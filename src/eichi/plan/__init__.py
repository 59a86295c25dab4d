"""Request to plan: pure arithmetic, no torch and no files."""
