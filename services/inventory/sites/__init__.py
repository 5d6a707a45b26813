"""Sites: the hospitals of the group."""
