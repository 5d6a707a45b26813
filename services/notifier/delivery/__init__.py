"""Puts messages together and hands them to the mail server."""
