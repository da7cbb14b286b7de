"""The database: every statement that reads or writes it."""
