"""The three polling loops, what wakes them and when they turn."""
