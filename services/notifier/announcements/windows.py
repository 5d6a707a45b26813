"""What is known of a window, from events that come in any order, and which notices follow from it.

Events of one type are in order, but ``window.started`` may overtake the ``window.scheduled`` that it belongs to.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.notifier.announcements.domain import PlannedNotice, Timetable, planned_notices
from shared.events import maintenance

Plan = maintenance.WindowScheduled | maintenance.WindowRescheduled | maintenance.WindowCancelled
"""The events that make a revision."""

PATIENCE = timedelta(seconds=30)
"""How long the news of a start waits for the announcement that it has overtaken."""


@dataclass(frozen=True)
class KnownWindow:
    """The newest revision that has been heard of, and what has happened to the window.

    ``scheduled_at`` is None until the event that made this revision has come.
    """

    site_id: str
    facts: maintenance.Window
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancelled_at: datetime | None = None
    previous: tuple[datetime, datetime] | None = None
    cancellation_reason: str = ""

    def timetable(self) -> Timetable:
        """What the rules of due times need to know."""
        made_at = self.scheduled_at or self.started_at or self.ended_at or self.cancelled_at
        return Timetable(
            id=self.facts.window_id,
            revision=self.facts.revision,
            starts_at=self.facts.starts_at,
            ends_at=self.facts.ends_at,
            scheduled_at=made_at or self.facts.starts_at,
            started_at=self.started_at,
            ended_at=self.ended_at,
            cancelled_at=self.cancelled_at,
        )


def learn(known: KnownWindow | None, event: maintenance.Window, site_id: str, at: datetime) -> KnownWindow:
    """What is known after ``event``, which happened at ``at``.

    An older revision changes nothing but what has happened to the window: that work started or ended stays true.
    Raises TypeError for an event without a rule: to pass over it in silence would end notices and plan none.
    """
    window = known
    if window is None or event.revision > window.facts.revision:
        window = KnownWindow(
            site_id=site_id,
            facts=maintenance.Window.model_validate(event.model_dump()),
            started_at=known.started_at if known else None,
            ended_at=known.ended_at if known else None,
        )
    match event:
        case maintenance.WindowStarted():
            return replace(window, started_at=window.started_at or at)
        case maintenance.WindowEnded():
            return replace(window, ended_at=window.ended_at or at)
        case maintenance.WindowScheduled() | maintenance.WindowRescheduled() | maintenance.WindowCancelled():
            return window if event.revision < window.facts.revision else _learn_plan(window, event, at)
        case _:
            raise TypeError(f"no rule for {type(event).__name__}")


def wanted_notices(window: KnownWindow) -> tuple[PlannedNotice, ...]:
    """The notices that this revision needs. While nobody has told when it was made, only what happened is told."""
    planned = planned_notices(window.timetable())
    if window.scheduled_at is not None or window.cancelled_at is not None:
        return planned
    return tuple(notice for notice in planned if notice.kind in ("started", "finished"))


def due_at(notice: PlannedNotice, window: KnownWindow, now: datetime) -> datetime:
    """When to send the notice: a little later while the window's own announcement has yet to come."""
    if window.scheduled_at is None and window.cancelled_at is None:
        return now + PATIENCE
    return notice.due_at


def _learn_plan(window: KnownWindow, event: Plan, at: datetime) -> KnownWindow:
    match event:
        case maintenance.WindowScheduled():
            return replace(window, scheduled_at=window.scheduled_at or at)
        case maintenance.WindowRescheduled():
            previous = (event.previous_starts_at, event.previous_ends_at)
            return replace(window, scheduled_at=window.scheduled_at or at, previous=previous)
        case maintenance.WindowCancelled():
            return replace(
                window, cancelled_at=window.cancelled_at or at, cancellation_reason=event.cancellation_reason
            )
