"""What the pages say is there."""
