"""The probes service: how the systems of the group are doing."""
