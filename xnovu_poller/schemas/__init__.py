"""Payload schemas of tenants: weighed, compiled, checked."""
