"""End to end: the whole of Steward, as its users run it."""
