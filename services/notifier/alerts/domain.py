"""Which mails an alert needs, from events that come in any order."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.notifier.delivery.domain import NewNotice
from shared.events.alerts import AlertRaised, AlertResolved

PATIENCE = timedelta(seconds=30)
"""How long "it is over" waits for the "it is wrong" that it has overtaken."""


@dataclass(frozen=True)
class KnownAlert:
    """What has been heard of an alert; the id belongs to one occurrence, not to the check."""

    id: str
    site_id: str
    asset_id: str
    raised: AlertRaised | None = None
    resolved: AlertResolved | None = None
    resolved_heard_at: datetime | None = None


def learn(alert: KnownAlert, told: AlertRaised | AlertResolved, now: datetime) -> KnownAlert:
    """What is known after an event."""
    if isinstance(told, AlertRaised):
        return replace(alert, raised=alert.raised or told)
    return replace(alert, resolved=alert.resolved or told, resolved_heard_at=alert.resolved_heard_at or now)


def wanted_notices(alert: KnownAlert, now: datetime) -> tuple[NewNotice, ...]:
    """The mails that the alert needs by what is known at ``now``.

    Both mails are sent even if the alert ended before the first one left. A raise that arrives 30 s or more after its
    resolve is not sent.
    """
    notices = []
    if alert.raised is not None and not _is_outdated(alert, now):
        expires_at = alert.resolved.resolved_at if alert.resolved else None
        notices.append(NewNotice(alert.site_id, alert.id, "alert_raised", 0, now, expires_at))
    if alert.resolved is not None:
        due_at = now if alert.raised else now + PATIENCE
        notices.append(NewNotice(alert.site_id, alert.id, "alert_resolved", 0, due_at))
    return tuple(notices)


def _is_outdated(alert: KnownAlert, now: datetime) -> bool:
    return alert.resolved_heard_at is not None and now - alert.resolved_heard_at >= PATIENCE
