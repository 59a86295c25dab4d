"""Many requests over time: the store that keeps them, the queue that orders them, the workers that run them."""
