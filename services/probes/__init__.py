"""Probes: how the group's systems are doing, asked from one vantage or several, over DICOM and what surrounds it.

Events in: ``site.changed``, ``asset.changed``, ``asset.retired``, ``window.scheduled``, ``window.rescheduled``,
``window.cancelled``, ``window.started``, ``window.ended``, ``suite.requested``. Events out: ``probe.result``,
``check.changed``, ``baseline.forgotten``, ``alert.raised``, ``alert.resolved``, ``alert.transitioned``,
``suite.completed``, ``report.filed``, ``report.closed``. Effects: DICOM associations with the nodes, which keep a few
synthetic images and reports; what checks ask of other systems, and the plugins that they run.
"""
