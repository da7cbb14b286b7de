"""What every test may ask for."""

pytest_plugins = [
    "tests.support.clock",
    "tests.support.novu",
    "tests.support.postgres",
    "tests.support.rows",
    "tests.support.logins",  # builds on rows: a plugin is to be named before it is imported
    "tests.support.temporal",
    "tests.support.worker",
]
