"""When rules fire: read the times of a rule's row, check them, and compute the next times. No server is needed."""
