"""Runs: when each probe is due, which replica makes the run, and what came of it."""
