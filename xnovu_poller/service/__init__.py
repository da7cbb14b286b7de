"""The worker as a whole: the only place where its parts are wired and unwired, in order."""
