"""The rows: which are due, and every arrow between their states."""
