"""Masks: shapes of clouds, their mixtures, what they hide, and masks of scenes; arrays only, no files."""
