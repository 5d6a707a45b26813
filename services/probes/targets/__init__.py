"""Targets: which nodes are probed, kept from what inventory tells."""
