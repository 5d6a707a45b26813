"""Integration tests of what the services share."""
