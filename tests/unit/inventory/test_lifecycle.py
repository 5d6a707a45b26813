"""The transition table, walked at random and searched as a whole."""

from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.lifecycle.domain import FINAL, MOVES, check_move
from shared.errors import Conflict
from shared.events.inventory import LifecycleState

STATES: tuple[LifecycleState, ...] = get_args(LifecycleState)
BEFORE_SERVICE = {"proposed", "planned", "procured", "staged", "commissioning"}
BEHIND_ISOLATION: list[LifecycleState] = ["isolated", "sanitized", "disposed", "closed"]
TO_SERVICE: list[LifecycleState] = ["proposed", "planned", "procured", "staged", "commissioning", "in_service"]
FROM_SERVICE: list[LifecycleState] = ["in_service", "retiring", "migrated", *BEHIND_ISOLATION]

states = st.sampled_from(STATES)


@st.composite
def walks(draw: st.DrawFn) -> list[LifecycleState]:
    """The states that an asset passes when it is asked to go anywhere, and more often to where it may go."""
    walk = [draw(states)]
    for _ in range(draw(st.integers(0, 30))):
        wish = draw(st.sampled_from(MOVES[walk[-1]] * 3 + STATES))
        try:
            check_move(walk[-1], wish)
        except Conflict:
            continue
        walk.append(wish)
    return walk


def reachable(state: LifecycleState) -> set[LifecycleState]:
    """All states that some way leads to."""
    seen: set[LifecycleState] = set()
    ahead = [state]
    while ahead:
        for following in MOVES[ahead.pop()]:
            if following not in seen:
                seen.add(following)
                ahead.append(following)
    return seen


def test_every_state_has_its_row() -> None:
    """The table speaks of exactly the states that events may name."""
    assert set(MOVES) == set(STATES)
    assert {following for row in MOVES.values() for following in row} <= set(STATES)


def test_the_main_line_leads_from_proposed_to_closed() -> None:
    """Each step from the proposal to service, and from service to the end, is allowed."""
    for here, following in [*pairwise(TO_SERVICE), *pairwise(FROM_SERVICE)]:
        assert following in MOVES[here]


@given(walks())
def test_no_way_leads_back_from_isolated(walk: list[LifecycleState]) -> None:
    """Whoever is isolated only ever moves on towards closed."""
    if "isolated" in walk:
        behind = walk[walk.index("isolated") :]
        assert behind == BEHIND_ISOLATION[: len(behind)]


@given(walks())
def test_final_states_are_the_last_of_a_walk(walk: list[LifecycleState]) -> None:
    """Nothing follows closed or cancelled."""
    assert not {"closed", "cancelled"}.intersection(walk[:-1])


@given(walks())
def test_cancelled_comes_only_before_service(walk: list[LifecycleState]) -> None:
    """Whoever moved to cancelled had never been in service."""
    if walk[-1] == "cancelled":
        assert set(walk[:-1]) <= BEFORE_SERVICE


@given(states, states)
def test_refused_move_says_which_are_allowed(here: LifecycleState, wish: LifecycleState) -> None:
    """The conflict carries the allowed moves; an allowed move raises nothing."""
    if wish in MOVES[here]:
        check_move(here, wish)
        return
    with pytest.raises(Conflict) as refused:
        check_move(here, wish)
    assert refused.value.extra["allowed"] == list(MOVES[here])
    assert all(state in refused.value.detail for state in MOVES[here])


@pytest.mark.parametrize("state", STATES)
def test_every_life_can_end(state: LifecycleState) -> None:
    """From each state that is not final, closed or cancelled can be reached; in service and later, closed."""
    assert (state in FINAL) == (state in {"closed", "cancelled"})
    if state not in FINAL:
        assert reachable(state) & FINAL
    if state not in BEFORE_SERVICE | FINAL:
        assert "closed" in reachable(state)
        assert "cancelled" not in reachable(state)
