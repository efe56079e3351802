"""Seed masks: thick clouds cut out of scenes in which they are known."""
