"""What changes by itself, sent to every open page as it changes."""

PACE = 0.4  # seconds between two looks at the store
