"""The HTTP server of the worker: health, status and metrics."""
