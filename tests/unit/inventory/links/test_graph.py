"""Ways through a graph, against walks that try everything."""

from itertools import pairwise, permutations, product

from hypothesis import given
from hypothesis import strategies as st

from services.inventory.links.graph import find_path

ASSETS = "abcdef"
EDGES = st.lists(st.tuples(st.sampled_from(ASSETS), st.sampled_from(ASSETS)), max_size=14)


def shortest(edges: set[tuple[str, str]], start: str, goal: str) -> int | None:
    """The length of the shortest way by trying every order of every choice of assets."""
    if start == goal:
        return 1
    others = [asset for asset in ASSETS if asset not in (start, goal)]
    for steps in range(len(others) + 1):
        for between in permutations(others, steps):
            way = (start, *between, goal)
            if all(pair in edges for pair in pairwise(way)):
                return len(way)
    return None


@given(EDGES, st.sampled_from(ASSETS), st.sampled_from(ASSETS))
def test_the_way_is_there_and_none_is_shorter(edges: list[tuple[str, str]], start: str, goal: str) -> None:
    """Each step of it is an edge, it joins both ends, and where no way exists none is named."""
    path = find_path(edges, start, goal)
    assert (path and len(path)) == shortest(set(edges), start, goal)
    if path:
        assert (path[0], path[-1]) == (start, goal)
        assert all(pair in edges for pair in pairwise(path))


def has_circle(edges: set[tuple[str, str]]) -> bool:
    """Whether some asset reaches itself, by closing the relation until nothing is added."""
    closed = set(edges)
    while more := {(a, d) for (a, b), (c, d) in product(closed, closed) if b == c} - closed:
        closed |= more
    return any(start == end for start, end in closed)


@given(st.lists(st.tuples(st.sampled_from(ASSETS), st.sampled_from(ASSETS)), max_size=30))
def test_no_accepted_sequence_of_links_has_a_circle(wanted: list[tuple[str, str]]) -> None:
    """A link is taken unless its end already leads back to its beginning: then, and only then, there are no circles."""
    taken: set[tuple[str, str]] = set()
    for origin, end in wanted:
        closes = find_path(taken, end, origin) is not None
        assert closes == has_circle(taken | {(origin, end)})
        if not closes:
            taken.add((origin, end))
    assert not has_circle(taken)
