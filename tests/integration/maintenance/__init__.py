"""Integration tests of maintenance."""
