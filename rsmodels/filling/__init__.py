"""Hidden pixels of chips, pictures and whole rasters, filled in."""
