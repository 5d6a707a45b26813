"""Maintenance: what is done to the fleet: the windows in which work is allowed, the patches that were applied.

Events in: ``site.changed``, ``asset.changed``. Events out: ``window.scheduled``, ``window.rescheduled``,
``window.cancelled``, ``window.started``, ``window.ended``, ``patch.applied``. Effects: none.
"""
