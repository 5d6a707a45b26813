"""Integration tests of inventory."""
