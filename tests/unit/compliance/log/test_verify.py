"""Whatever is changed in any table of a log, verification finds it; what it finds first is where it was done."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from services.compliance.log.bundle import join_entries, split_entries
from services.compliance.log.domain import Chunk, Claim, Root
from services.compliance.log.entry import build_entry, parse_entry
from services.compliance.log.tree import leaf_hash
from services.compliance.log.verify import Fault, Report, verify
from tests.unit.compliance.log.table_source import BEGIN, TableSource, filled

MUTATIONS = 500


def other(value: Any, random: Random) -> Any:
    """A value of the same type that differs."""
    match value:
        case None:
            return "x"
        case bytes():
            place = random.randrange(len(value))
            return value[:place] + bytes([value[place] ^ 1 << random.randrange(8)]) + value[place + 1 :]
        case str():
            return value + "x"
        case int():
            return value + random.choice([-1, 1])
        case datetime():
            return value + timedelta(microseconds=1)
        case tuple():
            return tuple(other(part, random) for part in value)
        case dict():
            return value | {random.choice([*value, "west"]): 10_000}
    raise AssertionError(value)


def change_field(rows: list[Any], random: Random) -> None:
    """Changes one field of one row."""
    place = random.randrange(len(rows))
    name = random.choice([column.name for column in fields(rows[place])])
    rows[place] = replace(rows[place], **{name: other(getattr(rows[place], name), random)})


def delete_row(rows: list[Any], random: Random) -> None:
    """Takes one row away."""
    rows.pop(random.randrange(len(rows)))


def mutate(log: TableSource, random: Random) -> str:
    """Does one thing to the log and says what."""
    kind = random.choice(["field", "delete", "index field", "index swap", "head"])
    table: list[Any] = random.choice([log.chunks, log.recorded])
    if kind == "field":
        change_field(table, random)
    elif kind == "delete":
        delete_row(random.choice([log.chunks, log.recorded, log.indexed]), random)
    elif kind == "index field":
        rows = [row for _, row in log.indexed]
        change_field(rows, random)
        log.indexed = [(index, row) for (index, _), row in zip(log.indexed, rows, strict=True)]
    elif kind == "index swap":
        one, two = random.sample(range(len(log.indexed)), 2)
        first, second = log.indexed[one], log.indexed[two]
        log.indexed[one], log.indexed[two] = (first[0], second[1]), (second[0], first[1])
    else:
        heads: list[Any] = [log.head]
        change_field(heads, random)
        [log.head] = heads
    return kind


async def test_sound_log_has_no_fault() -> None:
    """The report tells what was read, and progress ends at all of it."""
    log, seen = filled(40), list[tuple[int, int]]()
    report = await verify(log, lambda done, total: seen.append((done, total)))
    assert report == Report(log.head.size, log.head.root, 40, 2, None)
    assert seen[-1] == (log.head.size, log.head.size)
    assert seen[0] == (1024, log.head.size)


async def test_empty_log_has_no_fault() -> None:
    """Nothing is in order too."""
    assert (await verify(TableSource())).fault is None


async def test_every_random_mutation_is_found() -> None:
    """Any field of any row changed, any row taken away, any two index rows swapped."""
    for seed in range(MUTATIONS):
        log = filled(4, seed=seed % 7)
        what = mutate(log, Random(seed))
        assert (await verify(log)).fault is not None, f"seed {seed}: {what}"


async def found(log: TableSource) -> Fault:
    """The fault of a log that has one."""
    fault = (await verify(log)).fault
    assert fault is not None
    return fault


def rewrite(log: TableSource, index: int, change: Callable[[bytes], bytes]) -> None:
    """Changes an entry and its leaf hash with it, as somebody would who knows the format."""
    place = next(n for n, chunk in enumerate(log.chunks) if chunk.start + len(chunk.hashes) // 32 > index)
    chunk = log.chunks[place]
    entries, _ = split_entries(chunk.body)
    entries[index - chunk.start] = change(entries[index - chunk.start])
    log.chunks[place] = Chunk(chunk.start, join_entries(entries), b"".join(map(leaf_hash, entries)))


async def test_rewritten_entry_is_caught_by_the_index_or_the_root() -> None:
    """With its leaf hash made to fit, the root of its batch still tells."""
    log = filled()
    rewrite(log, 50, lambda raw: raw.replace(b'"alice"', b'"mallory"'))
    assert str(await found(log)) == "entry 50: index: actor is alice, the entry says mallory"
    log = filled()
    rewrite(log, 50, lambda raw: raw.replace(b"Hospital", b"hospital"))
    fault = await found(log)
    [batch] = [root for root in log.recorded if root.previous_size <= 50 < root.size]
    assert (fault.kind, fault.index) == ("root", batch.size - 1)
    assert f"entries {batch.previous_size} to {batch.size - 1}" in fault.detail


def other_site(raw: bytes) -> bytes:
    """The entry under the site that it does not belong to, with the number that is due there."""
    entry = parse_entry(raw)
    return build_entry(replace(entry, site_id="west", site_sequence=0))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda raw: raw.replace(b" ", b"\t", 1), "entry-format"),
        (other_site, "site"),
        (lambda raw: build_entry(replace(parse_entry(raw), site_sequence=999)), "site-sequence"),
        (lambda raw: build_entry(replace(parse_entry(raw), recorded_at=BEGIN - timedelta(1))), "recorded-at"),
        (lambda raw: build_entry(replace(parse_entry(raw), event=b"{}")), "event"),
    ],
)
async def test_wrong_entry_is_named_with_its_kind(change: Callable[[bytes], bytes], kind: str) -> None:
    """Each part of an entry has its own check."""
    log = filled()
    rewrite(log, 70, change)
    fault = await found(log)
    assert (fault.index, fault.kind) == (70, kind)


async def test_log_cut_off_at_its_end_is_noticed_by_its_head_only() -> None:
    """Entries, index and root gone, the head still counts them; a head set back too is what witnesses are for."""
    log = filled()
    last = log.recorded.pop()
    log.chunks = [chunk for chunk in log.chunks if chunk.start < last.previous_size]
    log.indexed = log.indexed[: last.previous_size]
    assert (await found(log)).index == last.previous_size
    assert (await found(log)).kind == "entry-missing"


async def test_what_lies_beyond_the_head_is_named() -> None:
    """Entries and roots that the head does not count."""
    log = filled()
    size = log.head.size
    log.recorded.append(Root(size + 1, size, bytes(32), BEGIN))
    assert (await found(log)).kind == "root-beyond-head"
    log = filled()
    log.chunks.append(Chunk(size, join_entries([b"x"]), bytes(32)))
    assert (await found(log)) == Fault(size, "entry-beyond-head", f"the head counts {size} entries")


async def test_wrong_head_is_named() -> None:
    """Its root, its time, its frontier, the sites' next sequences."""
    for change, kind in (
        ({"root": bytes(32)}, "head"),
        ({"recorded_at": BEGIN}, "head"),
        ({"frontier": ()}, "head"),
        ({"next_sequences": {"north": 1}}, "next-sequence"),
    ):
        log = filled()
        values: dict[str, Any] = {column.name: getattr(log.head, column.name) for column in fields(Claim)} | change
        log.head = Claim(**values)
        fault = await found(log)
        assert (fault.index, fault.kind) == (log.head.size, kind)
