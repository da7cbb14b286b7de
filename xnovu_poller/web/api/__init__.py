"""The API over HTTP: `table` lists its operations, and everything else is made of that table."""
