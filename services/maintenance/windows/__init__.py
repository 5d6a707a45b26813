"""Windows: the times in which work on systems may disturb people, announced before, opened and closed on time."""
