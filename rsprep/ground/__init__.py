"""Areas, zones, lattices, chips and splits: where things are on the ground."""
