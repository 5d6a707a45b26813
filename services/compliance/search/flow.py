"""The flow of one correlation id as a tree: under each entry, those that it caused."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from pydantic import BaseModel, Field

from services.compliance.log.domain import Pruned
from services.compliance.search.domain import AuditedEvent, Shown

MAX_ENTRIES = 1000
MAX_DEPTH = 50

Cause = Literal["none", "known", "absent", "circular", "deep"]


class FlowEntry(BaseModel):
    """An entry and what it caused.

    ``cause`` tells why it stands here: ``known``, below its cause; at the top because it names ``none``, because that
    is ``absent`` from what you may see of the flow, because the causes run in a circle (``circular``), or because it is
    too ``deep``: its cause lies 50 entries below a top.
    """

    entry: AuditedEvent
    cause: Cause
    children: "list[FlowEntry]"


class Flow(BaseModel):
    """A flow by its causes. ``is_complete`` is false when it has more than the 1,000 entries that are shown, its first.

    ``checkpoint`` and ``pruned`` are those of an EventPage; what was pruned of a flow, nobody can tell.
    """

    correlation_id: str = Field(examples=["night-17"])
    entries: list[FlowEntry]
    is_complete: bool
    checkpoint: str | None
    pruned: list[Pruned]


class Node(msgspec.Struct):
    """A FlowEntry in the making."""

    entry: Shown
    cause: Cause
    children: "list[Node]"


class _Links(msgspec.Struct):
    id: str
    causationid: str | None = None


_read_links = msgspec.json.Decoder(_Links).decode


def build_tree(entries: Sequence[Shown]) -> list[Node]:
    """All entries, each once; those at the top, and the children of each, keep the order that they are given in."""
    links = [_read_links(entry.event) for entry in entries]
    numbers: dict[str, int] = {}
    for number, link in enumerate(links):
        numbers.setdefault(link.id, number)
    causes = [numbers.get(link.causationid or "") for link in links]
    tree = _Tree(entries, causes)
    for number, (link, cause) in enumerate(zip(links, causes, strict=True)):
        if cause is None:
            tree.place(number, "none" if link.causationid is None else "absent")
    for number in range(len(entries)):
        if number not in tree.placed:
            tree.place(min(_circle_above(number, causes)), "circular")
    return tree.tops


class _Tree:
    """Entries by number, each under its cause."""

    def __init__(self, entries: Sequence[Shown], causes: Sequence[int | None]) -> None:
        self._entries = entries
        self._causes = causes
        self._caused: dict[int, list[int]] = defaultdict(list)
        for number, cause in enumerate(causes):
            if cause is not None:
                self._caused[cause].append(number)
        self.placed: dict[int, Node] = {}
        self._tops: list[int] = []

    @property
    def tops(self) -> list[Node]:
        """What stands at the top."""
        return [self.placed[number] for number in sorted(self._tops)]

    def place(self, top: int, why: Cause) -> None:
        """Puts an entry at the top, and all that follows from it below it."""
        waiting: list[tuple[int, Cause, int]] = [(top, why, 0)]
        while waiting:
            number, cause, depth = waiting.pop()
            if number in self.placed:
                continue
            node = self.placed[number] = Node(self._entries[number], cause, [])
            above = self._causes[number]
            if cause == "known" and above is not None:
                self.placed[above].children.append(node)
            else:
                self._tops.append(number)
            for child in reversed(self._caused[number]):
                waiting.append((child, "known", depth + 1) if depth < MAX_DEPTH else (child, "deep", 0))


def _circle_above(number: int, causes: Sequence[int | None]) -> Iterator[int]:
    """The circle that the causes of an entry end in; it has one, because no top leads to it."""
    passed: dict[int, None] = {}
    at: int | None = number
    while at is not None and at not in passed:
        passed[at] = None
        at = causes[at]
    way = list(passed)
    yield from way[way.index(at) :] if at is not None else way
