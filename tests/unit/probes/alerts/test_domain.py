"""The alert machine, replayed over series of results."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.probes.alerts.domain import (
    AlertState,
    Policy,
    Raise,
    Resolve,
    Window,
    is_held_back,
    judge,
    open_windows,
    severity_of,
)
from shared.events.probes import Outcome

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = Policy(failures=3, successes=2, grace=10 * MINUTE)
OUTCOMES: dict[str, Outcome] = {"o": "ok", "f": "failed", "d": "degraded", "e": "probe_error", "s": "skipped"}

series = st.lists(st.tuples(st.sampled_from("ofdes"), st.booleans()), max_size=40)


def replay(results: Sequence[tuple[str, bool]]) -> list[Raise | Resolve | None]:
    """What is told after each result; a result is its letter and whether a window holds back, one a minute."""
    state, told = AlertState(), []
    for minute, (letter, is_held) in enumerate(results):
        state, transition = judge(state, OUTCOMES[letter], is_held, NOON + minute * MINUTE, POLICY)
        told.append(transition)
    return told


def written(told: Sequence[Raise | Resolve | None]) -> str:
    """One letter for each: R raised, P raised as persisted past a window, v resolved."""
    return "".join(
        ("P" if one.persisted_past_window else "R") if isinstance(one, Raise) else "v" if one else "." for one in told
    )


@pytest.mark.parametrize(
    ("results", "windows", "told"),
    [
        ("ooo", "   ", "..."),
        ("fff", "   ", "..R"),
        ("ffoff", "     ", "....."),
        ("fffff", "     ", "..R.."),
        ("fffoo", "     ", "..R.v"),
        ("fffofoo", "       ", "..R...v"),
        ("fffoofff", "        ", "..R.v..R"),
        ("ffef", "    ", "...R"),
        ("ffsf", "    ", "...R"),
        ("eeeeee", "      ", "......"),
        ("dddddd", "      ", "......"),
        ("ffdff", "     ", "....."),
        ("fffdddoo", "        ", "..R....v"),
        ("fffodoo", "       ", "..R...v"),
        ("fffff", "wwwww", "....."),
        ("fffff", "wwww ", "....P"),
        ("ffff", "ww  ", "..R."),
        ("ffff", "www ", "...P"),
        ("ffffof", "wwww  ", "......"),
        ("fffffoofff", "wwww      ", "....P.v..R"),
        ("fffoo", "   ww", "..R.v"),
        ("fffoofff", "   wwwww", "..R.v..."),
        ("fffoofffff", "   wwwwww ", "..R.v....P"),
        ("fffeff", "wwww  ", "....P."),
    ],
)
def test_recorded_series_lead_to_the_expected_news(results: str, windows: str, told: str) -> None:
    """A ``w`` below a result says that a window holds alerts back at that moment."""
    assert written(replay([(r, w == "w") for r, w in zip(results, windows, strict=True)])) == told


def test_alert_tells_since_when() -> None:
    """That is the first failure of the row, not the one that raised it."""
    raised = replay([("o", False), ("f", False), ("f", False), ("f", False)])[-1]
    assert raised == Raise(since=NOON + MINUTE, persisted_past_window=False)


@given(series)
def test_raised_and_resolved_take_turns(results: list[tuple[str, bool]]) -> None:
    """No alert is raised twice, none is resolved that was not raised."""
    kinds = [type(one) for one in replay(results) if one]
    assert kinds[:1] in ([], [Raise])
    assert all(first is not second for first, second in pairwise(kinds))


@given(series)
def test_nothing_is_raised_while_held_back(results: list[tuple[str, bool]]) -> None:
    """Whatever the results are."""
    told = replay(results)
    assert not any(isinstance(one, Raise) and is_held for one, (_, is_held) in zip(told, results, strict=True))


@given(series)
def test_resolving_is_never_held_back(results: list[tuple[str, bool]]) -> None:
    """Enough successes leave no alert open, in a window too."""
    recovered = [*results, ("o", True), ("o", True)]
    told = [one for one in replay(recovered) if one]
    assert not told or isinstance(told[-1], Resolve)


@given(series)
def test_what_still_fails_after_a_window_fires_at_its_first_failure(results: list[tuple[str, bool]]) -> None:
    """After three failures in the window the next one outside raises, marked, unless an alert is open already."""
    before = [*results, ("f", True), ("f", True), ("f", True)]
    told = [one for one in replay(before) if one]
    is_open = bool(told) and isinstance(told[-1], Raise)
    last = replay([*before, ("f", False)])[-1]
    assert last is None if is_open else isinstance(last, Raise) and last.persisted_past_window


@given(series)
def test_what_says_nothing_about_the_target_changes_nothing(results: list[tuple[str, bool]]) -> None:
    """Without the probe's own errors and skipped runs, the same is told."""
    telling = [result for result in results if result[0] not in "es"]
    assert written([one for one in replay(results) if one]) == written([one for one in replay(telling) if one])


@given(series)
def test_undecided_means_that_the_next_results_can_decide(results: list[tuple[str, bool]]) -> None:
    """An alert that is open and failing, or held back, is decided: nothing is gained by asking sooner."""
    state = AlertState()
    for letter, is_held in results:
        state, _ = judge(state, OUTCOMES[letter], is_held, NOON, POLICY)
    assert state.is_undecided(POLICY) == (
        state.phase == "recovering" or (state.phase == "pending" and not state.is_held and state.failures < 3)
    )


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
    assert is_held_back([window], {"node", "pacs"}, now, POLICY) is holds_back


def test_window_of_another_system_holds_nothing_back() -> None:
    """The scope decides; a node without a system is in none but its own."""
    now = NOON + MINUTE
    assert not is_held_back([WINDOW], {"node", "ris"}, now, POLICY)
    assert not is_held_back([WINDOW], {"node", None}, now, POLICY)
    assert not open_windows([WINDOW], {"node", None}, now)


def test_wrong_ae_title_is_no_outage() -> None:
    """It is a fault of configuration."""
    assert severity_of("rejected_ae_title") == "warning"
    assert severity_of("refused") == "critical"
