"""Events that any service may publish when something needs a person."""

from typing import Literal

from shared.events.contract import EventData, Instant

Severity = Literal["warning", "critical"]


class AlertRaised(EventData, event_type="alert.raised"):
    """Something is wrong with the subject. ``system_id`` is the PACS system that it concerns, if one is known."""

    alert_id: str
    check: str
    asset_name: str
    severity: Severity
    summary: str
    since: Instant
    system_id: str | None = None
    persisted_past_window: bool = False


class AlertResolved(EventData, event_type="alert.resolved"):
    """What ``alert.raised`` told of is over; always published, in a window too."""

    alert_id: str
    check: str
    asset_name: str
    summary: str
    raised_at: Instant
    resolved_at: Instant
    system_id: str | None = None
