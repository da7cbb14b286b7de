"""A hostile tenant: an enterprise does everything it can to delay two others, and their delays are measured."""
