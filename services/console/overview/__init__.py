"""The overview: for each site, what it has, how it is doing, what is planned, what was backed up, and who did what."""
