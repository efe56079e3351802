"""Downstream tasks as they are trained."""
