"""Planted places, each seen from above and from its middle."""
