"""A finished data set as STAC: index, collection and catalog."""
