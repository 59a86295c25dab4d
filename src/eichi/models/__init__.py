"""Checkpoints to modules: found, loaded, changed; one file for each way of changing a model."""
