"""Compliance: what happened, so that an outsider can check it, and who may do what by an API key.

Events in: all of every service. Events out: ``key.changed``. Effects: none.
"""
