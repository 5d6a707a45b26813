"""A log's tables in memory, to be tampered with and verified without a database."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random

from services.compliance.log.append import grow
from services.compliance.log.domain import Chunk, Claim, Head, Indexed, Root, Stored, join_stored
from services.compliance.log.tree import EMPTY_ROOT, Frontier
from shared.events import Event, EventData, decode, encode_unsequenced, with_sequence
from shared.events.inventory import SiteChanged

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def site_changed(number: int, site_id: str) -> Event[EventData]:
    """An event as it comes from the bus."""
    body = encode_unsequenced(
        SiteChanged(name=f"Hospital {number}", time_zone="Europe/Berlin", version=number + 1),
        event_id=f"event-{number}",
        source="/services/inventory",
        subject=site_id,
        time=BEGIN + timedelta(seconds=number),
        site_id=site_id,
        actor="alice",
        correlation_id=f"flow-{number}",
        causation_id=None if number % 2 else f"cause-{number}",
        traceparent=None,
    )
    return decode(with_sequence(body, number + 1), topic="site.changed", now=BEGIN + timedelta(days=1))


@dataclass
class TableSource:
    """The rows of a log."""

    chunks: list[Chunk] = field(default_factory=list)
    indexed: list[tuple[int, Indexed]] = field(default_factory=list)
    recorded: list[Root] = field(default_factory=list)
    head: Claim = field(default_factory=lambda: Claim(0, EMPTY_ROOT, None, (), {}))

    async def claim(self) -> Claim:
        """The head."""
        return self.head

    async def stored(self) -> AsyncGenerator[Stored]:
        """All rows."""
        for stored in join_stored(self.chunks, self.indexed, 0, 2**62):
            yield stored

    async def roots(self) -> AsyncGenerator[Root]:
        """All roots."""
        for root in sorted(self.recorded, key=lambda root: root.size):
            yield root


def filled(batches: int = 8, seed: int = 1) -> TableSource:
    """A log of two sites, grown in batches of 1 to 60 events; the caller may change its lists."""
    log = _filled(batches, seed)
    return TableSource(list(log.chunks), list(log.indexed), list(log.recorded), log.head)


@cache
def _filled(batches: int, seed: int) -> TableSource:
    random = Random(seed)
    log = TableSource()
    head = Head(Frontier(), EMPTY_ROOT, None, 0)
    sequences: dict[str, int] = {}
    for batch in range(batches):
        count = random.randint(1, 60)
        events = [site_changed(head.size + n, random.choice(["north", "south"])) for n in range(count)]
        growth = grow(head, sequences, events, BEGIN + timedelta(minutes=batch))
        log.chunks += growth.chunks
        log.indexed += growth.indexed
        log.recorded.append(growth.root)
        head, sequences = growth.head, dict(growth.next_sequences)
    log.head = Claim(head.size, head.root, head.recorded_at, head.frontier.hashes, sequences)
    return log
