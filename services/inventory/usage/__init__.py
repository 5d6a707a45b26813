"""Usage: how much an asset was used, as its counters say; probes read them, and people may."""
