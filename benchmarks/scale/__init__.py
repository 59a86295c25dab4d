"""A forecast of scale: the real store and queue, workers that only pretend, a clock that does not wait."""
