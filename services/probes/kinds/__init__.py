"""Kinds: what a probe can ask."""
