"""Which notices a maintenance window needs, and when each is due."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.events.notifier import WindowNoticeKind

ANNOUNCED_AHEAD = timedelta(days=7)
REMINDED_AHEAD = timedelta(hours=24)


@dataclass(frozen=True)
class Timetable:
    """One revision of a window: when it is, and what has happened. Kept in UTC, where subtraction gives elapsed time.

    `scheduled_at` is when this revision was made. `started_at`, `ended_at` and `cancelled_at` are what has happened,
    None until it has: nobody is told that work has begun because a plan said so.
    """

    id: str
    revision: int
    starts_at: datetime
    ends_at: datetime
    scheduled_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancelled_at: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("starts_at", "ends_at", "scheduled_at", "started_at", "ended_at", "cancelled_at"):
            value: datetime | None = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, in_utc(value))


@dataclass(frozen=True)
class PlannedNotice:
    """A notice, unique by (window, kind, revision).

    `breaches_lead_time`: people hear of these times less than seven days ahead, which is to be recorded.
    `includes_reminder`: it goes out so late that no reminder of its own follows.
    `expires_at`: from then on it would mislead, and is not sent any more.
    """

    window_id: str
    revision: int
    kind: WindowNoticeKind
    due_at: datetime
    expires_at: datetime | None
    breaches_lead_time: bool = False
    includes_reminder: bool = False


def planned_notices(timetable: Timetable) -> tuple[PlannedNotice, ...]:
    """Every notice that this revision needs by what is known now, in the order of their due times.

    A cancelled window needs its cancellation and nothing else. A revision made while the work goes on, such as a later
    end, does not tell of the start again.
    """
    if timetable.cancelled_at is not None:
        return (_notice(timetable, "cancelled", timetable.cancelled_at, None),)
    first = _first_notice(timetable)
    planned = [first]
    if not first.includes_reminder:
        planned.append(_notice(timetable, "reminder", reminder_due(timetable.starts_at), _began(timetable)))
    if timetable.started_at is not None and timetable.started_at >= timetable.scheduled_at:
        planned.append(_notice(timetable, "started", timetable.started_at, timetable.ended_at or timetable.ends_at))
    if timetable.ended_at is not None:
        planned.append(_notice(timetable, "finished", timetable.ended_at, None))
    return tuple(sorted(planned, key=lambda notice: notice.due_at))


def is_sendable(notice: PlannedNotice, timetable: Timetable, now: datetime) -> bool:
    """Whether the notice may go out at `now`, asked once more right before it does.

    No notice of an older revision goes out, and none but the cancellation once the window is cancelled.
    """
    is_current = notice.revision == timetable.revision and (
        timetable.cancelled_at is None or notice.kind == "cancelled"
    )
    is_useful = notice.expires_at is None or now < notice.expires_at
    return is_current and notice.due_at <= now and is_useful


def reminder_due(starts_at: datetime) -> datetime:
    """24 hours of elapsed time before the start, also where a clock change makes that another time of day."""
    return in_utc(starts_at) - REMINDED_AHEAD


def in_utc(instant: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for a naive time, which names no instant."""
    if instant.utcoffset() is None:
        raise ValueError(f"a time must name its offset, for example 2026-03-29T01:30:00Z, not {instant.isoformat()}")
    return instant.astimezone(UTC)


def _first_notice(timetable: Timetable) -> PlannedNotice:
    """What tells people of these times: the announcement or, from the second revision on, the change."""
    lead = timetable.starts_at - timetable.scheduled_at
    is_short = lead < ANNOUNCED_AHEAD
    kind: WindowNoticeKind = "changed" if timetable.revision > 0 else "short_notice" if is_short else "announcement"
    return PlannedNotice(
        window_id=timetable.id,
        revision=timetable.revision,
        kind=kind,
        due_at=timetable.scheduled_at,
        expires_at=timetable.ended_at or timetable.ends_at,
        breaches_lead_time=is_short,
        includes_reminder=lead <= REMINDED_AHEAD,
    )


def _began(timetable: Timetable) -> datetime:
    return min(timetable.starts_at, timetable.started_at or timetable.starts_at)


def _notice(
    timetable: Timetable, kind: WindowNoticeKind, due_at: datetime, expires_at: datetime | None
) -> PlannedNotice:
    return PlannedNotice(timetable.id, timetable.revision, kind, due_at, expires_at)
