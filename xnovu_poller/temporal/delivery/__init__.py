"""The run that delivers a claim: its start, its workflow and its activities."""
