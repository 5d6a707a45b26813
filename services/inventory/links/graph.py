"""Ways through a graph of links."""

from collections import defaultdict
from collections.abc import Iterable


def find_path(edges: Iterable[tuple[str, str]], start: str, goal: str) -> list[str] | None:
    """A shortest way from ``start`` to ``goal`` along the edges, both ends with it; None when there is no way."""
    following: dict[str, list[str]] = defaultdict(list)
    for origin, end in edges:
        following[origin].append(end)
    came_from = {start: start}
    frontier = [start]
    while frontier and goal not in came_from:
        reached = []
        for asset in frontier:
            for end in following[asset]:
                if end not in came_from:
                    came_from[end] = asset
                    reached.append(end)
        frontier = reached
    if goal not in came_from:
        return None
    path = [goal]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]
