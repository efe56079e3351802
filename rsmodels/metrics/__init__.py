"""Figures of merit, each checked against a library that has it too."""
