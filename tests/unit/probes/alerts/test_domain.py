"""The alert machine under any series of results: what never happens, and what always does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.probes.alerts.domain import (
    OK,
    PATIENCE_FACTOR,
    AlertState,
    Change,
    Policy,
    Seen,
    Sign,
    judge,
    lose,
    release,
)
from services.probes.alerts.judging import Knowledge, Move, judge_batch, severity_of
from services.probes.alerts.upstream import Reaching
from services.probes.kinds import KINDS, NATURES
from services.probes.windows.domain import Window
from shared.events.probes import Outcome
from tests.unit.probes.alerts.checks import MINUTE, NOON, POLICY, Ids, judged, probe

SIGNS: dict[str, Sign] = {"o": "good", "f": "bad", "d": "alive"}


@dataclass(frozen=True)
class Given:
    """One thing that happens: a result by its letter, ``l`` for nobody hears it, ``r`` for its hold is over."""

    letter: str
    is_held_back: bool = False
    suppressed_by: str | None = None
    is_waiting: bool = False
    is_warning: bool = False
    is_past: bool = False


happenings = st.builds(
    Given,
    letter=st.sampled_from("oooofffffdlr"),
    is_held_back=st.booleans(),
    suppressed_by=st.sampled_from([None, None, None, "host"]),
    is_waiting=st.sampled_from([False, False, True]),
    is_warning=st.booleans(),
    is_past=st.sampled_from([False, False, True]),
)
series = st.lists(happenings, max_size=60)
policies = st.builds(
    Policy, failures=st.integers(1, 4), successes=st.integers(1, 3), grace=st.just(timedelta(minutes=10))
)


def step(state: AlertState, given: Given, minute: int, policy: Policy) -> tuple[AlertState, tuple[Change, ...]]:
    """What one happening does."""
    if given.letter == "l":
        return lose(state) if state.phase != "unknown" else (state, ())
    if given.letter == "r":
        is_kept = state.phase == "pending" and (state.is_held or state.suppressed_by is not None)
        return release(state) if is_kept else (state, ())
    seen = Seen(
        SIGNS[given.letter],
        NOON + minute * MINUTE,
        f"alert-{minute}",
        "warning" if given.is_warning else "critical",
        "timeout_connect",
        given.is_held_back,
        given.suppressed_by,
        given.is_waiting,
        given.is_past,
    )
    return judge(state, seen, policy)


def replay(
    given: Sequence[Given], policy: Policy = POLICY
) -> tuple[AlertState, list[tuple[Given, AlertState, tuple[Change, ...]]]]:
    """The last state, and after each happening the state and its transitions."""
    state, told = OK, []
    for minute, one in enumerate(given):
        state, changes = step(state, one, minute, policy)
        told.append((one, state, changes))
    return state, told


def changes_of(given: Sequence[Given], policy: Policy = POLICY) -> list[Change]:
    """All transitions in their order."""
    return [change for _, _, changes in replay(given, policy)[1] for change in changes]


@given(series, policies)
def test_raised_and_resolved_take_turns(given: list[Given], policy: Policy) -> None:
    """No alert is raised twice, none is resolved that was not raised, and each resolve names the alert before it."""
    told = [change for change in changes_of(given, policy) if change.what in ("raised", "resolved")]
    assert [change.what for change in told[:1]] in ([], ["raised"])
    for first, second in pairwise(told):
        assert first.what != second.what
        assert second.what == "raised" or first.alert_id == second.alert_id
    assert len({change.alert_id for change in told if change.what == "raised"}) == (len(told) + 1) // 2


@given(series, policies)
def test_nothing_is_raised_while_something_keeps_it_back(given: list[Given], policy: Policy) -> None:
    """Not in a window, not behind something that is down, and not by what is past, whatever came before."""
    for one, _, changes in replay(given, policy)[1]:
        if one.is_held_back or one.suppressed_by or one.is_past:
            assert not any(change.what == "raised" for change in changes)


@given(series, policies, st.booleans())
def test_enough_failures_outside_of_all_windows_fire(given: list[Given], policy: Policy, is_waiting: bool) -> None:
    """Whatever came before: at the latest when it has waited long enough for what is one hop up."""
    state, _ = replay(given, policy)
    for number in range(PATIENCE_FACTOR * policy.failures):
        state, _ = step(state, Given("f", is_waiting=is_waiting), 100 + number, policy)
    assert state.is_open


@given(series, policies)
def test_enough_successes_leave_no_alert_open(given: list[Given], policy: Policy) -> None:
    """In a window too. Flapping needs 21 of them, and no kind of hold delays any."""
    state, _ = replay(given, policy)
    for number in range(21 + policy.successes):
        state, _ = step(state, Given("o", is_held_back=True, suppressed_by="host"), 100 + number, policy)
    assert state == OK


@given(series)
def test_what_was_held_by_a_window_fires_at_its_first_failure_after_it(given: list[Given]) -> None:
    """Marked as persisted, unless an alert is open already."""
    before = [*given, Given("o"), *[Given("f", is_held_back=True)] * 3]
    state, _ = replay(before)
    after, changes = step(state, Given("f"), 100, POLICY)
    if state.is_open:
        assert after.alert_id == state.alert_id
    elif state.is_held:
        assert [(change.what, change.persisted_past_window) for change in changes] == [("raised", True)]


@given(series, policies)
def test_transitions_lead_from_where_it_stood_to_where_it_stands(given: list[Given], policy: Policy) -> None:
    """Each begins where the one before it ended; a state that changes its phase says so."""
    phase = "ok"
    for _, state, changes in replay(given, policy)[1]:
        for change in changes:
            assert change.before == phase
            phase = change.after
        assert state.phase == phase


@given(series, policies)
def test_an_alert_is_open_exactly_while_it_fires_recovers_or_flaps(given: list[Given], policy: Policy) -> None:
    """Of what is unknown it may be."""
    for _, state, _ in replay(given, policy)[1]:
        assert state.is_open or state.phase in ("ok", "pending", "unknown")
        assert not state.is_open or state.phase not in ("ok", "pending")


@given(series)
def test_undecided_means_that_the_next_results_can_decide(given: list[Given]) -> None:
    """What is held, suppressed, flapping, unknown or simply fails on is asked at its usual pace."""
    for _, state, _ in replay(given)[1]:
        if state.is_undecided(POLICY):
            assert state.phase in ("pending", "recovering", "firing")
            assert state.phase != "firing" or 0 < state.criticals < POLICY.failures
            assert state.phase != "pending" or not (state.is_held or state.suppressed_by)


results = st.lists(
    st.tuples(
        st.sampled_from(["pacs", "host"]), st.sampled_from(["ok", "failed", "degraded", "probe_error", "skipped"])
    ),
    max_size=40,
)


@given(results, st.lists(st.integers(0, 40), max_size=5))
def test_it_does_not_matter_which_replica_judges_what(told: list[tuple[str, str]], cuts: list[int]) -> None:
    """A series in one batch, or cut into batches anywhere with the states kept in between, gives the same."""
    assert judged_in([told]) == judged_in([told[a:b] for a, b in pairwise([0, *sorted(cuts), len(told)])])


def judged_in(batches: list[list[tuple[str, str]]]) -> list[tuple[str, tuple[Change, ...]]]:
    """The moves that change something, with the alerts' ids taken out."""
    known = Knowledge(POLICY, [Window("w", frozenset({"host"}), NOON + 10 * MINUTE, NOON + 15 * MINUTE)], NATURES)
    told: list[Move] = []
    minute = 0
    for batch in batches:
        at = [NOON + (minute + number) * MINUTE for number in range(len(batch))]
        minute += len(batch)
        of = {"pacs": probe("pacs", depends_on=("host",)), "host": probe("host", system_id=None)}
        given = [
            judged(of[name], cast(Outcome, outcome), when) for (name, outcome), when in zip(batch, at, strict=True)
        ]
        moves = judge_batch(given, known, Ids()).moves
        told += moves
        states = dict(known.states) | {move.key: move.state for move in moves}
        uppers = {key[0].removeprefix("echo:"): {key[0]: Reaching(state)} for key, state in states.items()}
        known = Knowledge(POLICY, known.windows, NATURES, states=states, uppers=uppers)
    return [
        (move.judged.probe.id, tuple(Change(c.what, c.before, c.after) for c in move.changes))
        for move in told
        if move.changes
    ]


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        *(("dicom-echo", "rejected_ae_title"), ("dicom-retrieve", "move_destination_unknown")),
        *(("database", "login_refused"), ("web-login", "no_form"), ("snmp", "no_such_object")),
        *(("prometheus", "expression"), ("http", "tls_name"), ("dicom-find", "tls_client_certificate")),
    ],
)
def test_a_fault_of_configuration_is_no_outage(kind: str, failure: str) -> None:
    """The target runs, and does not know us, or does not have what we ask for."""
    assert severity_of(failure, NATURES[kind]) == "warning"


@pytest.mark.parametrize("kind", NATURES)
@pytest.mark.parametrize("failure", ["refused", "timeout_answer", "tls_expired", "aborted", None])
def test_what_may_be_an_outage_is_critical(kind: str, failure: str | None) -> None:
    """Until a person says otherwise in the check."""
    assert severity_of(failure, NATURES[kind]) == "critical"


def test_every_fault_of_configuration_is_a_word_of_some_kind() -> None:
    """A word that no kind uses any more would be judged by nobody."""
    words = {word for kind in KINDS for word in kind.failures}
    assert words >= {word for nature in NATURES.values() for word in nature.faults_of_configuration}
