"""Fields: what a group wants to know of its components beyond what everybody does, typed and checked."""
