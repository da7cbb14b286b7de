"""The demo: the sample notifications through the real system, and a comparison of the expected with the found results."""
