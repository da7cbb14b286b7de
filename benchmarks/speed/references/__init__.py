"""What ours is compared with: Temporal with nothing around it, and an HTTP client with no queue."""
