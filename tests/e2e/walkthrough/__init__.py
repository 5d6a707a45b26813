"""The README's walk-through, run as it stands there: in one process, and as the services of the compose file."""
