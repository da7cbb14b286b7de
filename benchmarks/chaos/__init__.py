"""The soak: the whole system at work while whatever it needs dies, hangs or lies, and then a count."""
