"""Unit tests of what the services share."""
