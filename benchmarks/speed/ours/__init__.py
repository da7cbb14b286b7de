"""Measures of a real `xnovu worker start`, from the commit of a row to its record."""
