"""The demo: the sample notifications through the real system, and a count of what came of them."""
