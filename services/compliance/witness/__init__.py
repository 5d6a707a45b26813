"""A witness, run by a hospital by itself: it vouches for another's audit log as long as that only grows.

It needs no database and no bus; what it knows are files in one folder.
"""
