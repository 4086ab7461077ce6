"""Files that are there whole or not at all, and pickles that hold data only."""
