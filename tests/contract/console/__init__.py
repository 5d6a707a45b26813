"""What the console reads of the other services."""
