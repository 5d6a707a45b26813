"""A witness for logs that are not ours."""
