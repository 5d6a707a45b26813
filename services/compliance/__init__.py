"""Compliance: what happened, so that an outsider can check it, and who may do what by an API key.

Events in: all of every service. Events out: ``key.changed``, ``log.accessed``, ``log.events_lost``,
``witness.refused``, ``retention.changed``, ``hold.changed``, ``log.archived``, ``log.pruned``, ``log.restored``,
``alert.raised``. Effects: the file that remembers the last published checkpoint, submissions to witnesses, objects in
the archive.
"""
