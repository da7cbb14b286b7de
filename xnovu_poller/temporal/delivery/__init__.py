"""The runs that deliver claims: their start, their workflow and their activities."""
