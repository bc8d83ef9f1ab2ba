"""Returns: what comes back, and what is decided about it."""
