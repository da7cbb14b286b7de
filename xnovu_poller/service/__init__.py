"""The worker as a whole: only this room wires its parts, and it stops them in order."""
