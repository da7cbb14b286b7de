"""The database: all statements that read or write it."""
