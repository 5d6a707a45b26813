"""What a batch of events adds to the log. Says what should be written, and writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.compliance.log.bundle import chunk_bounds, join_entries
from services.compliance.log.domain import Chunk, Head, Indexed, Root
from services.compliance.log.entry import Entry, build_entry
from services.compliance.log.tree import leaf_hash
from shared.events import Event


@dataclass(frozen=True, slots=True)
class Growth:
    """The rows that a batch adds, and the head and the sites' next sequences after it."""

    chunks: Sequence[Chunk]
    indexed: Sequence[tuple[int, Indexed]]
    root: Root
    head: Head
    next_sequences: Mapping[str, int]


def grow(head: Head, next_sequences: Mapping[str, int], events: Sequence[Event[Any]], now: datetime) -> Growth:
    """Appends ``events``, recorded at ``now``, to the log at ``head``. Sites without a next sequence begin at 0."""
    sequences = dict(next_sequences)
    indexed = []
    entries = []
    for index, event in enumerate(events, start=head.size):
        sequence = sequences.get(event.site_id, 0)
        sequences[event.site_id] = sequence + 1
        entries.append(build_entry(Entry(event.site_id, sequence, now, event.raw)))
        indexed.append((index, _index(event, sequence, now)))
    hashes = [leaf_hash(entry) for entry in entries]
    frontier = head.frontier.extend(hashes)
    return Growth(
        chunks=_chunks(head.size, entries, hashes),
        indexed=indexed,
        root=Root(frontier.size, head.size, frontier.root, now),
        head=Head(frontier, frontier.root, now, head.epoch),
        next_sequences=sequences,
    )


def _chunks(first: int, entries: Sequence[bytes], hashes: Sequence[bytes]) -> list[Chunk]:
    return [
        Chunk(start, join_entries(entries[start - first : end - first]), b"".join(hashes[start - first : end - first]))
        for start, end in chunk_bounds(first, first + len(entries))
    ]


def _index(event: Event[Any], sequence: int, now: datetime) -> Indexed:
    return Indexed(
        site_id=event.site_id,
        site_sequence=sequence,
        type=event.type,
        subject=event.subject,
        actor=event.actor,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        event_id=event.id,
        time=event.time,
        recorded_at=now,
    )
