"""Each kind of damage to a log's tables is told by its name and place; a sound log verifies, in one process or many."""

import asyncio
from datetime import timedelta

import pytest

from services.compliance.log.append import grow
from services.compliance.verify.database import DatabaseSource
from services.compliance.verify.domain import Fault, Report
from services.compliance.verify.handlers import Verification, verify
from services.compliance.verify.seals import Trust
from services.compliance.verify.state import State
from shared.errors import Unavailable
from tests.integration.compliance.verify.stored import connected, store_growth, store_log
from tests.unit.compliance.verify.grown import BEGIN, ORIGIN, TRUST, Grown, arrival, grown

LOG = grown(20, seed=3)
SIZE = LOG.state.size
TAIL = SIZE - SIZE % 64
SEALED = LOG.manifests[2]
UNSEAL = "DELETE FROM cosignatures WHERE size > {0}; DELETE FROM checkpoints WHERE size > {0}"


async def verified(dsn: str, **how: object) -> tuple[Report, State | None]:
    """What a verification finds, besides the test's own event loop."""
    wanted = Verification(DatabaseSource(dsn), **{"trust": TRUST, **how})  # type: ignore[arg-type]  # -- as given
    return await asyncio.to_thread(verify, wanted)


async def fault_after(dsn: str, statement: str) -> Fault:
    """What is wrong once a superuser has changed the log."""
    await store_log(dsn, LOG)
    async with connected(dsn) as conn:
        await conn.execute(f"SET session_replication_role = replica; {statement}")
    fault = (await verified(dsn))[0].fault
    assert fault is not None
    return fault


@pytest.mark.parametrize(
    ("statement", "kind", "first", "end"),
    [
        ("DELETE FROM chunks WHERE start = 64", "bundle-missing", 64, 128),
        ("UPDATE chunks SET start = 70 WHERE start = 64", "unexpected", 70, 128),
        ("UPDATE chunks SET body = '' WHERE start = 64", "bundle-empty", 64, 128),
        ("UPDATE chunks SET body = 'x' WHERE start = 64", "bundle-unpacked", 64, 128),
        ("UPDATE chunks SET hashes = overlay(hashes PLACING '\\x00' FROM 33) WHERE start = 64", "leaf-hash", 65, 66),
        ("UPDATE chunks SET recorded_at = recorded_at + interval '1 us' WHERE start = 64", "recorded-at", 64, 128),
        ("DELETE FROM subtrees WHERE level = 1 AND number = 1", "tile-missing", 256, 512),
        ("UPDATE subtrees SET hash = sha256('') WHERE level = 1 AND number = 1", "subtree", 256, 512),
        ("INSERT INTO subtrees VALUES (2, 0, sha256(''))", "beyond-head", 0, 65536),
        ("DELETE FROM events WHERE index = 300", "index-missing", 300, 301),
        ("INSERT INTO events SELECT * FROM events WHERE index = 300", "index-extra", 300, 301),
        ("UPDATE events SET actor = 7 WHERE index = 300", "index", 300, 301),
        ("UPDATE events SET index = 301 WHERE index = 300", "index-missing", 300, 301),
        ("DELETE FROM mentions WHERE index = 300", "mention", 300, 301),
        (
            f"INSERT INTO events SELECT {SIZE}, time, 0, 0, 0, 0, 0, 0 FROM events LIMIT 1",
            "beyond-head",
            SIZE,
            SIZE + 1,
        ),
        ("UPDATE head SET size = size + 1", "tile-width", TAIL, SIZE + 1),
        ("UPDATE head SET size = size - 1", "tile-width", TAIL, SIZE - 1),
        ("UPDATE head SET tail = ''", "bundle-empty", TAIL, SIZE),
        ("UPDATE head SET tail_hashes = ''", "tile-empty", TAIL, SIZE),
        ("UPDATE head SET recorded_at = recorded_at + interval '1 us'", "head", SIZE, SIZE),
        ("UPDATE head SET partition_entries = 1024", "partition", 0, SIZE),
        ("UPDATE sites SET next_sequence = 0 WHERE site_id = 'north'", "next-sequence", SIZE, SIZE),
        ("INSERT INTO sites VALUES (99, 'nowhere', 0)", "next-sequence", SIZE, SIZE),
        ("UPDATE types SET type = 'x.y' WHERE type = 'site.changed'", "name", 1, 2),
        ("INSERT INTO types VALUES (99, 'x.y')", "name", SIZE, SIZE),
        ("UPDATE days SET count = count + 1 WHERE site = 0", "counts", SIZE, SIZE),
        ("UPDATE partitions SET last_time = now() WHERE number = 0", "partition", 0, 512),
        ("DELETE FROM partitions WHERE number = 1", "partition", 512, SIZE),
        ("UPDATE partitions SET number = -1 WHERE number = 1", "partition", -512, 0),
        ("ALTER TABLE mentions DETACH PARTITION mentions_1", "mention", 520, 521),
        (f"DELETE FROM manifests WHERE size = {SEALED}", "manifest-row", SEALED - 1, SEALED),
        (f"UPDATE manifests SET root = sha256('') WHERE size = {SEALED}", "manifest-row", SEALED - 1, SEALED),
        (f"UPDATE manifests SET lines = '' WHERE size = {SEALED}", "manifest-row", SEALED - 1, SEALED),
        (f"INSERT INTO manifests SELECT -5, root, lines FROM manifests WHERE size = {SIZE}", "beyond-head", -6, -5),
        (f"UPDATE checkpoints SET size = size - {SIZE} WHERE size = {SIZE}", "beyond-head", -1, 0),
        (f"DELETE FROM checkpoints WHERE size < {SIZE}; UPDATE checkpoints SET size = 0", "beyond-head", -1, 0),
        (f"UPDATE checkpoints SET note = 'x' WHERE size = {SEALED}", "checkpoint", SEALED - 1, SEALED),
        (f"UPDATE checkpoints SET note = replace(note, '{SIZE}', '1')", "checkpoint", SIZE - 1, SIZE),
        (
            f"UPDATE checkpoints SET note = replace(note, '{ORIGIN}', 'x')",
            "signature",
            LOG.manifests[0] - 1,
            LOG.manifests[0],
        ),
        (f"DELETE FROM cosignatures WHERE size = {SIZE}", "cosignature", SIZE - 1, SIZE),
        (f"UPDATE cosignatures SET witness = 'x' WHERE size = {SEALED}", "cosignature", SEALED - 1, SEALED),
        (
            f"UPDATE cosignatures SET line = rtrim(line, E'\\n') WHERE size = {SEALED}",
            "checkpoint",
            SEALED - 1,
            SEALED,
        ),
        ("DELETE FROM cosignatures; DELETE FROM checkpoints", "checkpoint", 0, SIZE),
        (UNSEAL.format(LOG.manifests[0]), "checkpoint", LOG.manifests[0], SIZE),
    ],
)
async def test_damage_to_a_table_is_told_by_its_kind_and_place(
    database: str, statement: str, kind: str, first: int, end: int
) -> None:
    """Every table in every way in which it can be wrong."""
    fault = await fault_after(database, statement)
    assert (fault.kind, fault.first, fault.end) == (kind, first, end), str(fault)


@pytest.mark.parametrize("column", ["time", "subject", "actor", "correlation", "site", "type", "outcome"])
async def test_a_row_that_holds_nothing_in_a_column_is_no_row_of_its_entry(database: str, column: str) -> None:
    """Neither in the place of the right one nor beside it."""
    nullable = f"ALTER TABLE events ALTER {column} DROP NOT NULL"
    fault = await fault_after(
        database,
        f"""{nullable}; INSERT INTO events SELECT * FROM events WHERE index = 300;
            UPDATE events SET {column} = NULL WHERE ctid = (SELECT max(ctid) FROM events WHERE index = 300)""",
    )
    assert (fault.kind, fault.first, fault.end) == ("index-extra", 300, 301), str(fault)
    async with connected(database) as conn:
        await conn.execute(f"DELETE FROM events WHERE index = 300 AND {column} IS NOT NULL")
    found = (await verified(database))[0].fault
    assert found is not None
    assert (found.kind, found.first, found.end) == ("index", 300, 301), str(found)


@pytest.mark.parametrize("column", ["time", "subject", "site"])
async def test_a_mention_that_holds_nothing_in_a_column_is_none(database: str, column: str) -> None:
    """Which the table does not allow until its owner does."""
    nullable = f"ALTER TABLE mentions ALTER {column} DROP NOT NULL"
    fault = await fault_after(database, f"{nullable}; UPDATE mentions SET {column} = NULL WHERE index = 300")
    assert (fault.kind, fault.first, fault.end) == ("mention", 300, 301), str(fault)


@pytest.mark.parametrize("how", [{}, {"step": 256}, {"step": 256, "workers": 2}])
async def test_a_sound_log_verifies_in_any_number_of_processes(database: str, how: dict[str, int]) -> None:
    """They all see the same moment, and what they find is joined to the same result."""
    await store_log(database, LOG)
    report, state = await verified(database, **how)
    assert report.fault is None, str(report.fault)
    assert (report.size, report.root, report.sites) == (SIZE, LOG.state.edge.root, 4)
    assert report.checkpoints == len(LOG.manifests)
    assert state is not None
    assert state.size == SIZE


async def test_a_fault_is_the_same_in_any_number_of_processes(database: str) -> None:
    """The first one is told, also where another process finds a later one sooner."""
    await store_log(database, LOG)
    async with connected(database) as conn:
        await conn.execute("UPDATE events SET actor = 7 WHERE index IN (270, 300, 600)")
    faults = [(await verified(database, step=256, workers=workers))[0].fault for workers in (1, 2)]
    assert [fault and (fault.kind, fault.first) for fault in faults] == [("index", 270)] * 2


async def test_a_log_verifies_at_every_moment_of_its_growth_and_goes_on_from_each(database: str) -> None:
    """After each batch, from the first entry and from the last checkpoint that was verified."""
    state: State | None = None
    for count in range(1, 12):
        growths = grown(12).growths
        if count == 1:
            await store_log(database, Grown(growths[:1]))
        else:
            async with connected(database) as conn, conn.transaction():
                await store_growth(conn, growths[count - 1])
        report, _ = await verified(database)
        assert report.fault is None, str(report.fault)
        onwards, state = await verified(database, since=state)
        assert onwards.fault is None, str(onwards.fault)
        assert (onwards.size, onwards.root) == (report.size, report.root)


async def test_entries_above_the_last_checkpoint_are_verified_and_the_report_says_so(database: str) -> None:
    """They are not below a signature yet."""
    later = BEGIN + timedelta(days=1)
    first = grow(LOG.state, [arrival(1, "north")], later)
    second = grow(first.after, [arrival(2, "north")], later + timedelta(minutes=10))
    await store_log(database, Grown([*LOG.growths, first, second]))
    report, state = await verified(database)
    assert report.fault is None, str(report.fault)
    assert report.size == SIZE + 2
    since = "2026-03-02T00:00:00.000000Z"
    assert f"the last 2 entries, recorded since {since}, are not below a checkpoint yet" in report.unchecked
    assert state is not None
    assert state.size == SIZE


async def test_a_log_that_grew_for_long_without_a_checkpoint_does_not_verify(database: str) -> None:
    """Whoever can write the database can take checkpoints away with all that they vouched for, and write it anew."""
    later = BEGIN + timedelta(days=1)
    first = grow(LOG.state, [arrival(1, "north")], later)
    second = grow(first.after, [arrival(2, "north")], later + timedelta(minutes=10, microseconds=1))
    await store_log(database, Grown([*LOG.growths, first, second]))
    fault = (await verified(database))[0].fault
    assert fault is not None
    assert (fault.kind, fault.first, fault.end) == ("checkpoint", SIZE, SIZE + 2)
    assert (await verified(database, trust=Trust()))[0].fault is None


async def test_a_log_without_an_entry_verifies(database: str) -> None:
    """As it is after the migrations."""
    report, _ = await verified(database)
    assert report.fault is None, str(report.fault)
    assert report.size == 0


async def test_a_database_without_a_log_can_not_be_read(database: str) -> None:
    """That is no verdict."""
    async with connected(database) as conn:
        await conn.execute("DELETE FROM head")
    with pytest.raises(Unavailable, match="has no head"):
        await verified(database)
