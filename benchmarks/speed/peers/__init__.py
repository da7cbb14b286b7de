"""The queues that a user could choose instead, each in the fastest way that its own documentation describes."""
