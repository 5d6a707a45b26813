"""When a window is open, and what it holds back."""

from datetime import UTC, datetime, timedelta

import pytest

from services.probes.windows.domain import Window, is_held_back, open_windows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GRACE = 10 * MINUTE
WINDOW = Window("w1", frozenset({"pacs"}), NOON, NOON + 60 * MINUTE)


@pytest.mark.parametrize(
    ("window", "minute", "is_open", "holds_back"),
    [
        (WINDOW, -1, False, False),
        (WINDOW, 0, True, True),
        (WINDOW, 59, True, True),
        (WINDOW, 60, False, True),
        (WINDOW, 69, False, True),
        (WINDOW, 70, False, False),
        (Window("w1", WINDOW.systems, NOON, WINDOW.ends_at, started_at=NOON - 5 * MINUTE), -3, True, True),
        (Window("w1", WINDOW.systems, NOON, WINDOW.ends_at, ended_at=NOON + 20 * MINUTE), 25, False, True),
        (Window("w1", WINDOW.systems, NOON, WINDOW.ends_at, ended_at=NOON + 20 * MINUTE), 31, False, False),
        (Window("w1", WINDOW.systems, NOON, WINDOW.ends_at, ended_at=NOON + 90 * MINUTE), 75, False, False),
        (Window("w1", WINDOW.systems, NOON, WINDOW.ends_at, is_cancelled=True), 30, False, False),
    ],
)
def test_windows_open_and_close_by_plan_or_earlier(
    window: Window, minute: int, is_open: bool, holds_back: bool
) -> None:
    """A window never lasts longer than planned, and holds back for the grace after its end."""
    now = NOON + minute * MINUTE
    assert bool(open_windows([window], {"node", "pacs"}, now)) is is_open
    assert is_held_back([window], {"node", "pacs"}, now, GRACE) is holds_back


def test_window_of_another_system_holds_nothing_back() -> None:
    """The scope decides; a node without a system is in none but its own."""
    now = NOON + MINUTE
    assert not is_held_back([WINDOW], {"node", "ris"}, now, GRACE)
    assert not is_held_back([WINDOW], {"node", None}, now, GRACE)
    assert not open_windows([WINDOW], {"node", None}, now)
