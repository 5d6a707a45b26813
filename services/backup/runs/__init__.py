"""Runs: one copy of a protection set, from the request to the snapshot that was read back."""
