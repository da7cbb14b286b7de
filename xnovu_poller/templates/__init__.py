"""Templates of tenants: verified, compiled, rendered."""
