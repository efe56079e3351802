"""Occlusion pairs: images, what hides them, and the two together."""
