"""Remote-sensing training data: chips of Sentinel-1, Sentinel-2, land cover and terrain on one grid."""

__version__ = "0.1.0"
