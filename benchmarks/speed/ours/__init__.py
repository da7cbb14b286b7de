"""Ours: what a real `xnovu worker start` does with committed rows, from the commit to the record."""
