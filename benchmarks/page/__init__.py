"""How fast the operator's page is on a large table."""
