"""Nothing lost, nothing twice, whatever is killed."""
