"""A fire-safety suite, five enterprises and their notifications, for a first look at the whole system."""
