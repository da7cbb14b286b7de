"""What applications notice of an upgrade: how long their writes wait."""
