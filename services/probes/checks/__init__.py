"""Checks: what persons and imports want to be asked of which asset, how often, and from which value on it is bad."""
