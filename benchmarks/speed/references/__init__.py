"""The references: bare Temporal, and an HTTP client without a queue."""
