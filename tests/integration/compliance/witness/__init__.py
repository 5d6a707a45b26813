"""A witness and its clients over real HTTP."""
