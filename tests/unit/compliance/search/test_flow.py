"""A flow's tree holds each entry once, whatever its causes say."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.search.domain import Shown
from services.compliance.search.flow import MAX_DEPTH, Node, build_tree

NOW = datetime(2026, 3, 1, tzinfo=UTC)

Step = tuple[str, str | None]


def shown(index: int, step: Step) -> Shown:
    """An entry of a flow."""
    event = json.dumps({"id": step[0], "causationid": step[1]} if step[1] else {"id": step[0]})
    return Shown(index, "north", index, NOW, "", msgspec.Raw(event.encode()))


def tree_of(*steps: Step) -> list[Node]:
    """The tree of events with these ids and causes."""
    return build_tree([shown(index, step) for index, step in enumerate(steps)])


def shape(nodes: Sequence[Node]) -> list[object]:
    """Indices and causes."""
    return [(node.entry.index, node.cause, shape(node.children)) for node in nodes]


def test_effects_stand_below_their_causes_in_their_order() -> None:
    """Also where an effect comes before its cause."""
    assert shape(tree_of(("late", "first"), ("first", None), ("second", "first"), ("other", None))) == [
        (1, "none", [(0, "known", []), (2, "known", [])]),
        (3, "none", []),
    ]


def test_effects_of_what_is_not_there_stand_at_the_top() -> None:
    """With all that followed from them."""
    assert shape(tree_of(("a", "elsewhere"), ("b", "a"))) == [(0, "absent", [(1, "known", [])])]


def test_circles_are_opened_at_their_first_entry() -> None:
    """What hangs from a circle hangs from it still; an event may also name itself."""
    assert shape(tree_of(("hanging", "b"), ("a", "c"), ("b", "a"), ("c", "b"))) == [
        (1, "circular", [(2, "known", [(0, "known", []), (3, "known", [])])]),
    ]
    assert shape(tree_of(("self", "self"))) == [(0, "circular", [])]


def test_same_event_twice_is_shown_twice() -> None:
    """What it caused stands under the first."""
    assert shape(tree_of(("a", None), ("a", None), ("b", "a"))) == [
        (0, "none", [(2, "known", [])]),
        (1, "none", []),
    ]


def test_what_lies_too_deep_begins_anew_at_the_top() -> None:
    """So no reader has to follow more than MAX_DEPTH levels."""
    steps: list[Step] = [("0", None), *((str(number), str(number - 1)) for number in range(1, 3 * MAX_DEPTH))]
    tree = tree_of(*steps)
    assert [node.cause for node in tree] == ["none", "deep", "deep"]
    assert [node.entry.index for node in tree] == [0, MAX_DEPTH + 1, 2 * MAX_DEPTH + 2]
    msgspec.json.encode(tree)


NAMES = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(NAMES, st.none() | NAMES), max_size=30))
def test_every_entry_stands_in_the_tree_once(steps: list[Step]) -> None:
    """And below its cause, or at the top with a reason why not."""
    waiting: list[tuple[str | None, Node]] = [(None, node) for node in tree_of(*steps)]
    seen: list[int] = []
    while waiting:
        above, node = waiting.pop()
        seen.append(node.entry.index)
        cause = steps[node.entry.index][1]
        assert (above is not None and above == cause) == (node.cause == "known")
        assert (cause is None) == (node.cause == "none")
        waiting += [(steps[node.entry.index][0], child) for child in node.children]
    assert sorted(seen) == list(range(len(steps)))
