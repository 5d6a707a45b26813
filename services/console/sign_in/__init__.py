"""Signing in: a token becomes a cookie that only this console gets, and that no script can read."""
