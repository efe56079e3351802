"""Corpora made from images and masks: each command plans chips and makes them, the rest is shared."""
