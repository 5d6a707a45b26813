"""Ends of life: what must be replaced in which budget year and why, and the orders that it takes."""
