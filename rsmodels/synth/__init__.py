"""Synthetic data sets in the chip store's format."""
