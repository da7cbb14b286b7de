"""The demo: the sample notifications through the real system, and a comparison of what was expected with what was found."""
