"""What every test may ask for."""

pytest_plugins = [
    "tests.support.novu",
    "tests.support.postgres",
    "tests.support.rows",
    "tests.support.temporal",
]
