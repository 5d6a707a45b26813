"""The small protocol that both buses keep. tests/contract/bus holds each implementation to it.

- A message on a topic has a key; equal keys share a partition, and a partition keeps its order for ever.
- ``Publisher.publish`` is all or none, and durable when it returns. A publisher that was replaced raises Fenced.
- A group's partitions are each read by one member at a time; another takes over when it goes.
- Nothing is forgotten by the bus because it was read: who reads keeps its own position.
- What the bus dropped before a group has read it is told to that group, once for each position it reads on from.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from shared.events import Topic

MAX_MESSAGE_BYTES = 1024 * 1024
"""What a bus takes at the most: more than an event may have, so that it is we who judge an event, not the bus."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a relay hands to the bus."""

    topic: str
    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Successive messages of one partition: (offset, value). Offsets rise, not always by one.

    ``lost`` are the offsets, from the first up to the second, that this group should have read before these messages
    and that the bus no longer has. ``skipped_to`` lies behind offsets that hold no message for anybody. With either, a
    batch may be without messages: it tells how far reading has come.
    """

    topic: str
    partition: int
    messages: Sequence[tuple[int, bytes]]
    lost: tuple[int, int] | None = None
    skipped_to: int | None = None

    @property
    def end(self) -> int:
        """The position to read on from."""
        if self.skipped_to is not None:
            return self.skipped_to
        if self.messages:
            return self.messages[-1][0] + 1
        if self.lost is None:
            raise ValueError("a batch of nothing has no end")
        return self.lost[1]

    def split(self) -> "list[Batch]":
        """The loss, each message, and what was skipped behind them, as far as there are such, each by itself."""
        parts = [replace(self, messages=(), skipped_to=None)] if self.lost else []
        parts += [replace(self, messages=[message], lost=None, skipped_to=None) for message in self.messages]
        is_covered = bool(parts) and parts[-1].end == self.end
        return parts if is_covered else [*parts, replace(self, messages=(), lost=None)]


PartitionId = tuple[str, int]
Positions = Callable[[Sequence[PartitionId]], Awaitable[Mapping[PartitionId, int]]]
"""Gives the stored next offset of each partition that was read before."""


class Publisher(Protocol):
    """The one producer under a name; opening another under the same name fences it."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publishes all, in order, or none. Raises Fenced, or Unavailable when the outcome is not known."""


class Subscription(Protocol):
    """A member of a group that reads topics."""

    async def poll(self, limit: int, timeout: float) -> Sequence[Batch]:
        """The next messages, at most about ``limit`` in all; empty after ``timeout`` seconds without any.

        Raises Unavailable when the bus is away or this member has lost its place; open a new subscription then.
        """


class Bus(Protocol):
    """A message bus."""

    async def create_topics(self, topics: Sequence[Topic]) -> None:
        """Makes the topics that don't exist and brings the settings of the others in line."""

    def publisher(self, name: str) -> AbstractAsyncContextManager[Publisher]:
        """Registers as the producer ``name``; from then on no earlier one can publish."""

    def subscription(
        self, group: str, topics: Sequence[str], positions: Positions, *, alone: bool = False
    ) -> AbstractAsyncContextManager[Subscription]:
        """Joins a group. Reading starts at the stored position, or at the oldest message where there is none.

        ``alone``: the caller sees to it that nobody else reads for this group; no member that is gone or has stopped is
        waited for.
        """

    async def sweep(self) -> None:
        """Deletes what retention and compaction allow, where the bus does not do so by itself."""

    async def close(self) -> None:
        """Gives back what the bus holds; nothing published is lost."""
