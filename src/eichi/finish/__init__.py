"""A video that there is, finished: a chain of steps over it, and the form of its file."""
