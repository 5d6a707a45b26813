"""Events of maintenance: what we do to the fleet."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from shared.events.contract import EventData, Instant

Impact = Literal["NO-IMPACT", "REDUCED-REDUNDANCY", "DEGRADED", "OUTAGE"]
ChangeKind = Literal["standard", "normal", "emergency"]
ChangeState = Literal[
    "draft",
    "submitted",
    "assessed",
    "staging",
    "staging_passed",
    "staging_failed",
    "pending_approval",
    "approved",
    "scheduled",
    "freeze_blocked",
    "preflight",
    "in_progress",
    "verifying",
    "rolling_back",
    "rolled_back",
    "failed",
    "review",
    "closed",
    "rejected",
    "cancelled",
]


class SystemRef(BaseModel):
    """A system in a window's scope, with the name it had when the window was scheduled."""

    id: str
    name: str


class Window(EventData):
    """What every event of a maintenance window tells; the subject is the site id.

    ``revision`` starts at 0 and grows with every reschedule and with the cancellation (iCalendar SEQUENCE).
    """

    window_id: str
    revision: int
    title: str
    reason: str
    impact: Impact
    starts_at: Instant
    ends_at: Instant
    systems: list[SystemRef]
    contact: str


class WindowScheduled(Window, event_type="window.scheduled"):
    """A window stands in the calendar."""


class WindowRescheduled(Window, event_type="window.rescheduled"):
    """The window has new times; the ones before are ``previous_starts_at`` and ``previous_ends_at``."""

    previous_starts_at: Instant
    previous_ends_at: Instant


class WindowCancelled(Window, event_type="window.cancelled"):
    """The window will not take place."""

    cancellation_reason: str


class WindowStarted(Window, event_type="window.started"):
    """The window is open from now on: alerting for its systems is held back."""


class WindowEnded(Window, event_type="window.ended"):
    """The window is over."""


class PatchApplied(EventData, event_type="patch.applied"):
    """A system runs a new version; the subject is the system. Inventory takes ``to_version`` over."""

    patch_id: str
    from_version: str
    to_version: str
    applied_at: Instant
    summary: str


class SuiteRequested(EventData, event_type="suite.requested"):
    """A system is to be put through a suite of checks; the subject is the system.

    ``run_id`` is the id that the run will have: the same one asked for again is not run again. ``about`` names what
    waits for the answer, such as a change. ``settings`` are added to those of the suite's items, by an item's name.
    """

    run_id: str
    suite_id: str
    reason: str
    about: str | None = None
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)


class ChangeTransitioned(EventData, event_type="change.transitioned"):
    """A change has moved in its life; the subject is the site id. ``plan_sha256`` is of the plan as it stands."""

    change_id: str
    title: str
    kind: ChangeKind
    from_state: ChangeState | None
    to_state: ChangeState
    systems: list[SystemRef]
    plan_sha256: str | None
    window_id: str | None
    reason: str


class AdvisoryPublished(EventData, event_type="advisory.published"):
    """What a vendor's security advisory means for an asset, as a person has confirmed; the subject is the asset.

    It is ``open`` without a fix, ``fixable`` by ``fixed_version``, ``closed`` once the asset runs that or was found not
    to be affected. ``cvss`` is the vector with its version (``CVSS:3.1/…``).
    """

    advisory_id: str
    title: str
    state: Literal["open", "fixable", "closed"]
    fixed_version: str | None
    cvss: str | None
    known_exploited: bool
    version: int
