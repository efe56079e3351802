"""The `rsmodels` program."""
