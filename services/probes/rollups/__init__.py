"""Rollups: results in sums of five minutes and of an hour, which stay when the results are gone."""
