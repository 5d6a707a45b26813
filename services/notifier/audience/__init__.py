"""Who must know: the sites, their people, the names of what they use, and which addresses take mail."""
