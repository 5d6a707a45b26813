"""People: whom the notices of a site reach."""
