"""Rasters of any size in overlapping tiles: what filling and colouring share."""
