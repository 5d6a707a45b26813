"""KPIs: what results say together, of a target and a period, from sums that are kept for years."""
