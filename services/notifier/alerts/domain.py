"""Which mails an alert needs, from events that come in any order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from services.notifier.delivery.domain import NewNotice
from shared.events.alerts import AlertRaised, AlertResolved, AlertTransitioned

Told = AlertRaised | AlertResolved | AlertTransitioned

PATIENCE = timedelta(seconds=30)
"""How long "it is over" waits for the "it is wrong" that it has overtaken."""

TurnForWorse = Literal["escalated", "flapping"]

REVISIONS: Mapping[TurnForWorse, int] = {"escalated": 1, "flapping": 2}
"""The turns of an open alert that are told, each once: as what revision of the notice that it was raised."""


@dataclass(frozen=True)
class KnownAlert:
    """What has been heard of an alert; the id belongs to one occurrence, not to the check."""

    id: str
    site_id: str
    asset_id: str
    raised: AlertRaised | None = None
    resolved: AlertResolved | None = None
    resolved_heard_at: datetime | None = None
    turns: Mapping[str, AlertTransitioned] = field(default_factory=dict)


def learn(alert: KnownAlert, told: Told, now: datetime) -> KnownAlert:
    """What is known after an event."""
    if isinstance(told, AlertRaised):
        return replace(alert, raised=alert.raised or told)
    if isinstance(told, AlertTransitioned):
        return replace(alert, turns={told.what: told, **alert.turns})
    return replace(alert, resolved=alert.resolved or told, resolved_heard_at=alert.resolved_heard_at or now)


def wanted_notices(alert: KnownAlert, now: datetime) -> tuple[NewNotice, ...]:
    """The mails that the alert needs by what is known at ``now``.

    Both mails are sent even if the alert ended before the first one left. A raise, or a turn for the worse, that comes
    30 s or more after its resolve is not sent.
    """
    notices = []
    if not _is_outdated(alert, now):
        expires_at = alert.resolved.resolved_at if alert.resolved else None
        revisions = [0] if alert.raised else []
        revisions += [revision for turn, revision in REVISIONS.items() if turn in alert.turns]
        notices += [NewNotice(alert.site_id, alert.id, "alert_raised", n, now, expires_at) for n in revisions]
    if alert.resolved is not None:
        due_at = now if alert.raised else now + PATIENCE
        notices.append(NewNotice(alert.site_id, alert.id, "alert_resolved", 0, due_at))
    return tuple(notices)


def _is_outdated(alert: KnownAlert, now: datetime) -> bool:
    return alert.resolved_heard_at is not None and now - alert.resolved_heard_at >= PATIENCE
