"""Probes: how the systems of the group are doing, asked over DICOM from one vantage or several.

Events in: ``asset.changed``, ``asset.retired``, ``window.scheduled``, ``window.rescheduled``, ``window.cancelled``,
``window.started``, ``window.ended``. Events out: ``probe.result``, ``alert.raised``, ``alert.resolved``.
Effects: DICOM associations with the nodes.
"""
