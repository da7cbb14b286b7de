"""The speed of the whole, measured beside the queues that a user would pick instead, in one run on one machine."""
