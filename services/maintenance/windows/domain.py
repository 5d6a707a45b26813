"""Rules of maintenance windows.

scheduled → started → ended; scheduled → cancelled. A system lies in one live (scheduled or started) window at a time;
one window may begin at the instant at which another ends.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field, StringConstraints

from services.maintenance.fleet.domain import Site, System
from shared.errors import Conflict, Malformed, TooLarge
from shared.events import MAX_EVENT_BYTES, Instant, SiteId
from shared.events.maintenance import Impact, SystemRef
from shared.resource import Body, Id, Line, Moment, Prose, Resource

LONGEST = timedelta(days=7)
FURTHEST = timedelta(days=731)
STILL_NOW = timedelta(seconds=60)
MAX_SYSTEMS = 100
ROOM_BYTES = 4096
"""Kept free in a window's announcement for what its later events say besides: who, why cancelled, from which times."""

State = Literal["scheduled", "started", "ended", "cancelled"]
LIVE: frozenset[State] = frozenset({"scheduled", "started"})


class Times(NamedTuple):
    """From when (included) to when (excluded); UTC."""

    starts_at: datetime
    ends_at: datetime

    def overlaps(self, other: "Times") -> bool:
        """Whether some instant lies in both."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at


class Plan(Body):
    """A window that somebody wants."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "site_id": "north",
                    "title": "Archive upgrade to 12.4",
                    "reason": "Vendor fix for slow retrieval; the archive restarts twice.",
                    "impact": "OUTAGE",
                    "starts_at": "2027-03-01T22:00:00Z",
                    "ends_at": "2027-03-02T01:00:00Z",
                    "system_ids": ["0199c3f2-7a51-7c3e-9d55-3f1f2f6f8a10"],
                    "contact": "PACS on call, extension 4711",
                }
            ]
        }
    )

    site_id: SiteId
    title: Line
    reason: Annotated[Prose, StringConstraints(min_length=1)]
    impact: Impact
    starts_at: Moment
    ends_at: Moment
    system_ids: list[Id] = Field(min_length=1, max_length=MAX_SYSTEMS)
    contact: Line


class Window(Resource):
    """A maintenance window. Its times are UTC; ``time_zone`` is the site's, for showing them.

    ``revision`` starts at 0 and grows with every reschedule and with the cancellation (SEQUENCE, RFC 5545 §3.8.7.4).
    ``systems`` carry the names that they had when the window was scheduled.
    """

    id: str
    site_id: str
    time_zone: str
    state: State
    revision: int
    title: str
    reason: str
    impact: Impact
    starts_at: Instant
    ends_at: Instant
    systems: list[SystemRef]
    contact: str
    started_at: Instant | None = None
    ended_at: Instant | None = None
    cancelled_at: Instant | None = None
    cancellation_reason: str | None = None

    @property
    def times(self) -> Times:
        """When it is, or was to be, open."""
        return Times(self.starts_at, self.ends_at)

    @property
    def is_live(self) -> bool:
        """Whether it is yet to come or open."""
        return self.state in LIVE

    def due_change(self, now: datetime) -> "Window | None":
        """The window after the step that is due by ``now``; one that missed its whole time is first started."""
        if self.state == "scheduled" and self.starts_at <= now:
            return self.changed(state="started", started_at=now)
        if self.state == "started" and self.ends_at <= now:
            return self.changed(state="ended", ended_at=now)
        return None

    def changed(self, **fields: object) -> "Window":
        """The next version of the window."""
        return self.model_copy(update={**fields, "version": self.version + 1})


def schedule(plan: Plan, site: Site, known: Sequence[System], *, window_id: str, now: datetime) -> Window:
    """The window that ``plan`` asks for. Raises Malformed, Conflict for systems that are gone, TooLarge."""
    times = check_times(Times(plan.starts_at, plan.ends_at), now)
    systems = check_systems(plan, known)
    window = Window(
        id=window_id,
        version=1,
        site_id=site.id,
        time_zone=site.time_zone,
        state="scheduled",
        revision=0,
        title=plan.title,
        reason=plan.reason,
        impact=plan.impact,
        starts_at=times.starts_at,
        ends_at=times.ends_at,
        systems=[SystemRef(id=system.id, name=system.name) for system in systems],
        contact=plan.contact,
    )
    check_size(window)
    return window


def check_times(times: Times, now: datetime) -> Times:
    """The times as agreed: a start up to 60 s ago is now. Raises Malformed."""
    starts_at, ends_at = times
    if starts_at < now - STILL_NOW:
        raise Malformed("starts_at", "must not lie in the past", _text(now + timedelta(hours=1)))
    agreed = Times(max(starts_at, now), ends_at)
    _check_end(agreed, now)
    return agreed


def _check_end(times: Times, now: datetime) -> None:
    starts_at, ends_at = times
    example = _text(max(starts_at, now) + timedelta(hours=1))
    if ends_at <= max(starts_at, now):
        raise Malformed("ends_at", "must lie after starts_at and after now", example)
    if ends_at > now + FURTHEST:
        raise Malformed("ends_at", "must not lie more than two years ahead", _text(now + timedelta(hours=1)))
    if ends_at - starts_at > LONGEST:
        raise Malformed("ends_at", "must lie at most 7 days after starts_at", example)


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def check_systems(plan: Plan, known: Iterable[System]) -> list[System]:
    """The systems of the plan in its order. A system of another site is as unknown as one that does not exist."""
    here = {system.id: system for system in known if system.site_id == plan.site_id}
    if len(set(plan.system_ids)) < len(plan.system_ids):
        raise Malformed("system_ids", "must name each system once", '["0199c3f2-7a51-7c3e-9d55-3f1f2f6f8a10"]')
    for system_id in plan.system_ids:
        if system_id not in here:
            raise Malformed(
                "system_ids", f"{system_id} is no system of site {plan.site_id}", "the id of a system there"
            )
    systems = [here[system_id] for system_id in plan.system_ids]
    if gone := [system.id for system in systems if system.is_gone]:
        raise Conflict("the life of some of the systems is over", gone=gone)
    return systems


def check_size(window: Window) -> None:
    """Raises TooLarge unless every event of the window's life will fit, so that none of them can fail later."""
    size = len(window.model_dump_json().encode())
    limit = MAX_EVENT_BYTES - ROOM_BYTES
    if size > limit:
        raise TooLarge(f"the window's text and systems have {size} bytes; the limit is {limit}. Shorten its reason.")


def check_free(window: Window, others: Iterable[Window]) -> None:
    """Raises Conflict, naming the other, when a live window of one of the systems overlaps this one."""
    mine = {system.id for system in window.systems}
    for other in others:
        shared = sorted(mine & {system.id for system in other.systems})
        if other.id != window.id and other.is_live and shared and window.times.overlaps(other.times):
            times = {"starts_at": _text(other.starts_at), "ends_at": _text(other.ends_at)}
            raise Conflict(
                f"window {other.id} ({other.title}) is then open for some of the systems",
                overlaps={"window_id": other.id, "title": other.title, **times, "system_ids": shared},
            )


def reschedule(window: Window, times: Times, now: datetime) -> Window:
    """The window at its new times; the same window when they are the old ones. Raises Conflict, Malformed."""
    if not window.is_live:
        raise Conflict(f"the window is {window.state}; only a live one has times to change", state=window.state)
    if times == window.times:
        return window
    agreed = _prolonged(window, times, now) if window.state == "started" else check_times(times, now)
    return window.changed(starts_at=agreed.starts_at, ends_at=agreed.ends_at, revision=window.revision + 1)


def _prolonged(window: Window, times: Times, now: datetime) -> Times:
    if times.starts_at != window.starts_at or times.ends_at < window.ends_at:
        raise Conflict("the window has started: only its end can be moved, and only to later", state=window.state)
    _check_end(times, now)
    return times


def cancel(window: Window, reason: str, now: datetime) -> Window:
    """The window called off. Raises Conflict once it has started."""
    if window.state != "scheduled":
        raise Conflict(f"the window is {window.state}; only a scheduled one can be cancelled", state=window.state)
    changes = {"state": "cancelled", "cancelled_at": now, "cancellation_reason": reason}
    return window.changed(**changes, revision=window.revision + 1)


def end_early(window: Window, now: datetime) -> Window:
    """The window closed before its time. Raises Conflict unless it is open."""
    if window.state != "started":
        raise Conflict(f"the window is {window.state}; only a started one can be ended", state=window.state)
    return window.changed(state="ended", ended_at=now)
