"""The workflow of a claim, from its start to its record."""
