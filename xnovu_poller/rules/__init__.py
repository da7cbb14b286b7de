"""When rules fire: what their rows say of time, read, checked, and foretold."""
