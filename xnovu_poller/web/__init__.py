"""What the worker serves over HTTP: health, status and metrics."""
