"""Where granules come from."""
