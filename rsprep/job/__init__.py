"""From plan to sealed data set."""
