"""The command line: names to functions."""
