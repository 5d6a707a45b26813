"""Notifier alone tells people: who must know, what they read, and that it reached them.

Events in: ``site.changed``, ``person.changed``, ``asset.changed`` (who and where people are), ``window.scheduled``,
``window.rescheduled``, ``window.cancelled``, ``window.started``, ``window.ended``, ``alert.raised``,
``alert.resolved``, ``alert.transitioned``.
Events out: ``notice.sent``, ``notice.failed``. Effects: mail.
"""
