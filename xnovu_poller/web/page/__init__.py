"""The operator's page: people look here instead of reading SQL."""
