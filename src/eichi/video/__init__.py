"""Frames to files, and pictures from users."""
