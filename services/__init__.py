"""The services of Steward, each deployed by itself or all in one process."""
