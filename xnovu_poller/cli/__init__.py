"""The commands of `xnovu`, one file a group."""
