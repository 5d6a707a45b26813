"""Suites: named sets of checks with what is expected of each, run on a system when somebody needs to know."""
