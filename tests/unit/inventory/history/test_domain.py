"""What changed between two states, and which things of two systems stand for each other."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.inventory.history.domain import (
    FieldChange,
    Standing,
    Touched,
    changes_between,
    difference_in_time,
    difference_of_systems,
    pairs,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
states = st.dictionaries(
    st.sampled_from(["name", "model", "software", "tags"]),
    st.none() | st.integers() | st.text(max_size=5) | st.dictionaries(st.sampled_from("ab"), st.integers(), max_size=2),
)


def standing(thing_id: str, kind: str = "component", **state: Any) -> Standing:
    """A thing as it stands."""
    return Standing(kind=kind, thing_id=thing_id, version=1, site_id="north", at=NOW, state=state)


things = st.lists(
    st.builds(
        lambda kind, type_, name: (kind, type_, name),
        st.sampled_from(["node", "component"]),
        st.sampled_from(["drive", "ups"]),
        st.sampled_from(["one", "two", "three"]),
    ),
    max_size=8,
).map(lambda rows: [standing(str(i), kind, type=type_, name=name) for i, (kind, type_, name) in enumerate(rows)])


@given(states)
def test_a_state_does_not_differ_from_itself(state: dict[str, Any]) -> None:
    """Nothing is told where nothing changed."""
    assert changes_between(state, state) == []


@given(states, states)
def test_changes_say_the_same_from_either_side(before: dict[str, Any], after: dict[str, Any]) -> None:
    """What was before on the way there is after on the way back."""
    there, back = changes_between(before, after), changes_between(after, before)
    assert [(c.path, c.before, c.after) for c in there] == [(c.path, c.after, c.before) for c in back]


def test_a_nested_field_is_named_by_its_path() -> None:
    """A version inside the software is told as software.version."""
    before = {"software": {"vendor": "V", "version": "1"}, "version": 3}
    after = {"software": {"vendor": "V", "version": "2"}, "version": 4}
    assert changes_between(before, after) == [FieldChange(path="software.version", before="1", after="2")]


def test_a_change_that_was_taken_back_is_no_difference() -> None:
    """Between two times only the two states count."""
    same = standing("a", name="one")
    assert difference_in_time(Touched(kind="component", thing_id="a", before=same, after=same)) is None


def test_what_came_and_went_in_between_is_no_difference() -> None:
    """It was not there at either time."""
    assert difference_in_time(Touched(kind="component", thing_id="a", before=None, after=None)) is None


def test_what_is_there_at_one_of_the_times_only_was_added_or_removed() -> None:
    """One side of it is missing."""
    thing = standing("a", name="one")
    added = difference_in_time(Touched(kind="component", thing_id="a", before=None, after=thing))
    removed = difference_in_time(Touched(kind="component", thing_id="a", before=thing, after=None))
    assert added is not None
    assert removed is not None
    assert (added.what, removed.what) == ("added", "removed")


@given(things, things)
def test_each_thing_of_both_systems_is_paired_once(before: list[Standing], after: list[Standing]) -> None:
    """None is lost, none is doubled, and a pair is of one kind and type."""
    made = pairs(before, after)
    assert sorted(left.thing_id for left, _ in made if left) == sorted(thing.thing_id for thing in before)
    assert sorted(right.thing_id for _, right in made if right) == sorted(thing.thing_id for thing in after)
    for left, right in made:
        assert left or right
        if left and right:
            assert (left.kind, left.state["type"]) == (right.kind, right.state["type"])


@given(things)
def test_a_system_does_not_differ_from_one_that_mirrors_it(before: list[Standing]) -> None:
    """Other ids, serial numbers and names of their own are no difference."""
    after = [
        thing.model_copy(update={"thing_id": f"other-{thing.thing_id}", "state": dict(thing.state, serial="S")})
        for thing in before
    ]
    assert difference_of_systems(before, after) == []


def test_staging_with_another_version_differs_in_it_alone() -> None:
    """Only what should be equal is compared."""
    production = [standing("p", "system", name="Archive", environment="production", software={"version": "5"})]
    staging = [standing("s", "system", name="Staging", environment="staging", software={"version": "6"})]
    [difference] = difference_of_systems(production, staging)
    assert difference.changes == [FieldChange(path="software.version", before="5", after="6")]
