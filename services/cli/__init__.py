"""The command `steward`: running it, and using it from a shell."""
