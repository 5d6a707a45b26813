"""What a batch adds: entries as they must be, the same log however events are batched, and a manifest that is true."""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compliance.log.append import grow, tail_hashes
from services.compliance.log.bundle import CHUNK, split_entries, unpack
from services.compliance.log.domain import Arrival, Growth, Indexed, State
from services.compliance.log.entry import parse_entry
from services.compliance.log.hashing import leaf_hashes
from services.compliance.log.index import (
    EVENT_ROW_BYTES,
    Told,
    correlation_digest,
    digest,
    index_row,
    mention_rows,
    microseconds,
)
from shared.events.envelope import Envelope
from tests.unit.compliance.log.test_tree import defined_root

NOW = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)
SITES = ("north", "south", "group")
TYPES = ("site.changed", "probe.result", "alert.raised")
TELLING = (Told(), Told(outcome="failed"), Told(outcome=["failed"], system_id="system-1"), Told(systems=[{"id": "x"}]))


def arrival(number: int, site_id: str = "north", event_type: str = "site.changed", told: Told | None = None) -> Arrival:
    """An event of some site."""
    envelope = Envelope(
        specversion="1.0",
        id=f"event-{number}",
        source="/services/inventory",
        type=event_type,
        subject=f"subject-{number % 3}",
        time=NOW - timedelta(seconds=number),
        dataschema="urn:steward:test:1",
        siteid=site_id,
        actor="anna",
        correlationid=f"flow-{number}",
        sequence="0" * 20,
        data=msgspec.Raw(b"{}"),
    )
    return Arrival(b'{"number":%d}' % number, envelope, told or Told())


def log_of(batches: Sequence[Sequence[Arrival]]) -> tuple[State, list[Growth]]:
    """The log after all batches."""
    growths: list[Growth] = []

    def add(state: State, batch: Sequence[Arrival]) -> State:
        growths.append(grow(state, batch, NOW))
        return growths[-1].after

    return reduce(add, batches, State()), growths


def stored_entries(state: State, growths: Sequence[Growth]) -> list[bytes]:
    """All entries, as their chunks and the tail hold them."""
    chunks = [chunk for growth in growths for chunk in growth.chunks]
    assert [chunk.start for chunk in chunks] == list(range(0, len(chunks) * CHUNK, CHUNK))
    return [entry for chunk in chunks for entry in split_entries(unpack(chunk.body))] + list(state.tail)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=6), st.integers(0, 1000))
def test_the_log_is_the_same_however_events_are_batched(sizes: list[int], seed: int) -> None:
    """Entries, hashes, subtrees, tail and root do not tell where one batch ended."""
    arrivals = [arrival(n, SITES[(n * seed) % 3]) for n in range(sum(sizes))]
    at, batches = 0, []
    for size in sizes:
        batches.append(arrivals[at : at + size])
        at += size
    state, growths = log_of(batches)
    entries = stored_entries(state, growths)
    at_once, together = log_of([arrivals])
    assert entries == stored_entries(at_once, together)
    assert state.edge == at_once.edge
    assert state.sites.keys() == at_once.sites.keys()
    hashes = b"".join(chunk.hashes for growth in growths for chunk in growth.chunks) + tail_hashes(state)
    assert hashes == leaf_hashes(entries)
    assert state.edge.root == defined_root([hashes[at : at + 32] for at in range(0, len(hashes), 32)])


def test_each_site_is_numbered_without_a_gap_over_batches() -> None:
    """Site sequences begin at 0 and are dense, whatever lies between."""
    state, growths = log_of([[arrival(n, SITES[n % 2]) for n in range(start, start + 7)] for start in (0, 7, 14)])
    parsed = [parse_entry(entry) for entry in stored_entries(state, growths)]
    for site_id in SITES[:2]:
        numbers = [entry.site_sequence for entry in parsed if entry.site_id == site_id]
        assert numbers == list(range(len(numbers)))
        assert state.sites[site_id].next_sequence == len(numbers)
    assert [entry.event for entry in parsed] == [arrival(n).raw for n in range(21)]


def test_recorded_at_never_falls() -> None:
    """Where the clock has gone back, the last time stands."""
    first = grow(State(), [arrival(0)], NOW)
    later = grow(first.after, [arrival(1)], NOW - timedelta(hours=3))
    assert [parse_entry(entry).recorded_at for entry in later.after.tail] == [NOW, NOW]
    assert grow(later.after, [], NOW - timedelta(days=1)).after.recorded_at == NOW


def test_an_empty_batch_adds_nothing() -> None:
    """The state after it is the one before."""
    state = grow(State(), [arrival(0)], NOW).after
    growth = grow(state, [], NOW + timedelta(1))
    assert (growth.chunks, growth.subtrees, growth.indexed.rows, growth.manifest) == ([], [], [], None)
    assert growth.after == state


def test_a_manifest_closes_the_batch_and_counts_all_sites_and_itself() -> None:
    """The root of the manifest is over the sites' lines, sorted, with the manifest's own entry counted."""
    first = grow(State(), [arrival(n, SITES[n % 2]) for n in range(5)], NOW)
    growth = grow(first.after, [arrival(5, "south")], NOW, "manifest-1")
    entry = parse_entry(growth.after.tail[-1])
    event = json.loads(entry.event)
    lines = [b"group 1", b"north 3", b"south 3"]
    assert (entry.site_id, event["type"], event["id"]) == ("group", "log.manifest", "manifest-1")
    assert event["data"]["sites"] == 3
    hashes = leaf_hashes(lines)
    assert b64decode(event["data"]["root"]) == defined_root([hashes[at : at + 32] for at in range(0, 96, 32)])
    assert growth.manifest is not None
    assert (growth.manifest.size, growth.manifest.lines) == (7, lines)
    assert growth.manifest.root == growth.after.edge.root


@given(
    st.lists(
        st.tuples(st.integers(0, 200_000), st.sampled_from(SITES), st.sampled_from(TYPES), st.sampled_from(TELLING))
    )
)
def test_index_rows_made_together_are_those_made_one_by_one(drawn: list[tuple[int, str, str, Told]]) -> None:
    """Of events of many days, sites, types and outcomes, such as are no text too."""
    arrivals = [arrival(*one) for one in drawn]
    growth = grow(State(), arrivals, NOW)
    rows, mentions, times, days = [], [], [], Counter[tuple[int, int, int]]()
    for index, (_, envelope, told) in enumerate(map(msgspec.structs.astuple, arrivals)):
        time, site = microseconds(envelope.time), growth.after.sites[envelope.siteid].number
        kind = growth.after.types[envelope.type]
        rows.append(index_row(index, time, site, kind, envelope, told))
        mentions.append(mention_rows(index, time, site, told))
        times.append(time)
        days[time // 86_400_000_000, site, kind] += 1
    assert growth.indexed == Indexed(rows, mentions, times, days)


def test_the_index_row_says_what_the_event_says() -> None:
    """Each column, in PostgreSQL's binary form."""
    told = Told(
        outcome="degraded", system_id="system-1", systems=[{"id": "system-2"}, {"id": "system-1"}, {"name": "x"}]
    )
    indexed = grow(State(), [arrival(3, "south", "probe.result", told)], NOW).indexed
    time = microseconds(NOW - timedelta(seconds=3))
    values = [0, time, digest("subject-0"), digest("anna"), correlation_digest("flow-3"), 0, 0, 4]
    widths = [8] * 5 + [2] * 3
    fields = [w.to_bytes(4) + v.to_bytes(w, signed=True) for v, w in zip(values, widths, strict=True)]
    assert indexed.rows == [(8).to_bytes(2) + b"".join(fields)]
    assert len(indexed.rows[0]) == EVENT_ROW_BYTES
    subjects = sorted([digest("system-1"), digest("system-2")])
    [mentions] = indexed.mentions
    assert [int.from_bytes(mentions[at + 30 : at + 38], signed=True) for at in (0, 44)] == subjects
    assert (indexed.times, indexed.days) == ([time], {(time // 86_400_000_000, 0, 0): 1})
