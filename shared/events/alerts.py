"""Events that any service may publish when something needs a person."""

from typing import Literal

from shared.events.contract import EventData, Instant

Severity = Literal["warning", "critical"]
AlertPhase = Literal["ok", "pending", "firing", "recovering", "flapping", "unknown"]
Transition = Literal[
    "pending",
    "cleared",
    "raised",
    "recovering",
    "relapsed",
    "resolved",
    "flapping",
    "steadied",
    "unknown",
    "heard",
    "held",
    "suppressed",
    "released",
    "escalated",
    "deescalated",
    "acknowledged",
    "unacknowledged",
]


class AlertRaised(EventData, event_type="alert.raised"):
    """Something is wrong with the subject. ``system_id`` is the PACS system that it concerns, if one is known.

    ``flapping``: it comes and goes too often to be told each time; one resolve will tell when it is over.
    """

    alert_id: str
    check: str
    asset_name: str
    severity: Severity
    summary: str
    since: Instant
    system_id: str | None = None
    persisted_past_window: bool = False
    flapping: bool = False


class AlertResolved(EventData, event_type="alert.resolved"):
    """What ``alert.raised`` told of is over; always published, in a window too."""

    alert_id: str
    check: str
    asset_name: str
    summary: str
    raised_at: Instant
    resolved_at: Instant
    system_id: str | None = None


class AlertTransitioned(EventData, event_type="alert.transitioned"):
    """A check went another step: every one that is neither raising nor resolving. ``at`` is when it was seen.

    ``before`` and ``after`` are phases, which are the same where only a flag changed. ``alert_id`` is set while an
    alert is open. ``suppressed_by`` is what lies one hop up and is down; ``acknowledged_by`` who took the alert over.
    """

    probe_id: str
    check: str
    asset_name: str
    what: Transition
    before: AlertPhase
    after: AlertPhase
    summary: str
    at: Instant
    alert_id: str | None = None
    severity: Severity | None = None
    system_id: str | None = None
    suppressed_by: str | None = None
    acknowledged_by: str | None = None
