"""Grey pictures and rasters of any size, coloured."""
