"""Blind tests: how real people find generated images, who do not know which these are."""
