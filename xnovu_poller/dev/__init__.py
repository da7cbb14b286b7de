"""The whole system on one machine, without installing a server."""
