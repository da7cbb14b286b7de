"""The soak: run the whole system while its servers die, hang or answer wrongly, then count the results."""
