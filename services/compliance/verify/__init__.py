"""`steward log verify`: reads a log as a stranger would, computes all of it again, and names the first wrong thing."""
