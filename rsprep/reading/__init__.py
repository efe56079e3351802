"""Pixels from files onto a grid."""
