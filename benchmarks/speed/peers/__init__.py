"""The queues that a user would pick instead, each in the fastest way that its own documentation tells."""
