"""A whole table by one recipe: systems trained, judged alike, put to use, and told side by side."""
