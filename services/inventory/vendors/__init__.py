"""Vendors: who makes what we have, under all the names that it goes by, and until when each version is supported."""
