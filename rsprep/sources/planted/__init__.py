"""A seeded landscape whose truth is known everywhere."""
