"""History: what the probes saw, kept for as long as it tells something."""
