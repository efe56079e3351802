"""Pages and pictures of runs and evaluations."""
