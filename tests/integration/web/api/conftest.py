"""The profile of a long run: `make fuzz-api`."""

from hypothesis import settings

settings.register_profile("fuzz", derandomize=False)
