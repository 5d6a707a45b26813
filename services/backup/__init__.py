"""Backup: can it come back: what is protected, each run of an engine, and the proof that a run can be understood.

Events in: ``asset.changed``. Events out: ``backup.completed``, ``backup.failed``, ``alert.raised``, ``alert.resolved``.
Effects: restic writes to the repositories on this machine.
"""
