"""What is known of a window after its events, in whatever order they come."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any, TypeVar

import pytest

from services.notifier.announcements.windows import PATIENCE, KnownWindow, due_at, learn, wanted_notices
from shared.events import maintenance

NOW = datetime(2030, 6, 14, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
W = TypeVar("W", bound=maintenance.Window)


def event(kind: type[W], revision: int, hours: int = 240, **more: Any) -> W:
    facts = {
        "window_id": "w",
        "revision": revision,
        "title": f"Revision {revision}",
        "reason": "",
        "impact": "OUTAGE",
        "starts_at": NOW + hours * HOUR,
        "ends_at": NOW + (hours + 4) * HOUR,
        "systems": [],
        "contact": "",
    }
    return kind.model_validate(facts | more)


PREVIOUS = {"previous_starts_at": NOW, "previous_ends_at": NOW + HOUR}
LIFE: list[tuple[maintenance.Window, datetime]] = [
    (event(maintenance.WindowScheduled, 0), NOW),
    (event(maintenance.WindowRescheduled, 1, 1, **PREVIOUS), NOW + HOUR / 2),
    (event(maintenance.WindowStarted, 1, 1), NOW + HOUR),
    (event(maintenance.WindowEnded, 1, 1), NOW + 2 * HOUR),
]


def after(*told: tuple[maintenance.Window, datetime]) -> KnownWindow:
    known = None
    for data, at in told:
        known = learn(known, data, "north", at)
    assert known is not None
    return known


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_order_of_events_makes_no_difference_in_the_end(order: tuple[int, ...]) -> None:
    assert after(*(LIFE[i] for i in order)) == after(*LIFE)


def test_a_cancelled_window_stays_so_whatever_comes_late() -> None:
    cancelled = (event(maintenance.WindowCancelled, 1, cancellation_reason="ill"), NOW + HOUR)
    known = after(cancelled, LIFE[0])
    assert [notice.kind for notice in wanted_notices(known)] == ["cancelled"]
    assert (known.facts.revision, known.cancellation_reason) == (1, "ill")


def test_only_what_happened_is_told_until_the_plan_is_known_and_a_little_later() -> None:
    known = after(LIFE[2])
    [started] = wanted_notices(known)
    assert (started.kind, due_at(started, known, NOW + HOUR)) == ("started", NOW + HOUR + PATIENCE)
    known = after(LIFE[2], LIFE[1])
    assert {notice.kind: due_at(notice, known, NOW) for notice in wanted_notices(known)} == {
        "changed": NOW + HOUR / 2,
        "started": NOW + HOUR,
    }


def test_a_newer_revision_forgets_the_plan_of_the_older_one() -> None:
    known = after(LIFE[0], LIFE[1], (event(maintenance.WindowStarted, 2), NOW + HOUR))
    assert (known.scheduled_at, known.previous) == (None, None)


def test_an_event_without_a_rule_is_refused() -> None:
    with pytest.raises(TypeError, match="no rule for Window"):
        after(LIFE[0], (event(maintenance.Window, 1), NOW))
