"""Lifecycle: the state that each asset is in, and how it may move from one to the next."""
