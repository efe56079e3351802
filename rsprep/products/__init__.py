"""What a pixel means: pure functions on arrays."""
