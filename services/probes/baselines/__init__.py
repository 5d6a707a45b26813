"""Baselines: what is usual for a measure at each hour of the week, learned from its own values."""
