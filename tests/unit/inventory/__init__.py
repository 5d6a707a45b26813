"""Unit tests of inventory."""
