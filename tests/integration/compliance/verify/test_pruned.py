"""A log of which parts were pruned verifies by what is left of them; what does not fit is told by name and place."""

import asyncio
from datetime import timedelta

import pytest

from services.compliance.log.append import grow
from services.compliance.log.domain import Growth
from services.compliance.log.hashing import fold, leaf_hashes
from services.compliance.verify.database import DatabaseSource
from services.compliance.verify.domain import Report
from services.compliance.verify.handlers import Verification, verify
from services.compliance.verify.state import State
from shared.events.compliance import LogPruned
from tests.integration.compliance.verify.stored import PARTITION, connected, store_growth, store_log
from tests.unit.compliance.verify.gaps import SHORT, log_of
from tests.unit.compliance.verify.grown import BEGIN, TRUST, arrival_of, grown

LOG = grown(45, seed=4)
ENTRIES = LOG.entries
FIRST_AFTER = next(size for size in LOG.manifests if size > 2 * PARTITION)
FLIP = "UPDATE leaf_hashes SET hashes = overlay(hashes PLACING '\\x00' FROM 9)"
ADD = "INSERT INTO leaf_hashes SELECT"
PLACE = "file:///archive"


def records(*numbers: int, location: str = PLACE, root: bytes | None = None, days: int = 1) -> Growth:
    """The entries that record that partitions were pruned, and a manifest, so many days later."""
    told = []
    for number in numbers:
        first, end = number * PARTITION, (number + 1) * PARTITION
        over = (root or fold(leaf_hashes(ENTRIES[first:end]))).hex()
        pruned = LogPruned(first=first, end=end, root=over, location=location, asked_by="anna")
        told.append(arrival_of(pruned, 9000 + number, "group"))
    return grow(LOG.state, told, BEGIN + timedelta(days=days), "manifest-after")


async def prune(dsn: str, *numbers: int) -> None:
    """Prunes partitions of the stored log as retention does, on the day on which it began."""
    async with connected(dsn) as conn:
        for number in numbers:
            await conn.execute(
                """INSERT INTO archives (partition, state, asked_by, asked_at, correlation_id, location)
                   VALUES ($1, 'archived', 'anna', now(), 'flow', $2)""",
                number,
                PLACE,
            )
            await conn.execute("SELECT prune_partition($1)", number)
        await conn.execute("UPDATE partitions SET pruned_at = $1 WHERE pruned_at IS NOT NULL", BEGIN)


async def verified(dsn: str, since: State | None = None) -> tuple[Report, State | None]:
    """What a verification finds."""
    wanted = Verification(DatabaseSource(dsn), TRUST, since=since, step=256)
    return await asyncio.to_thread(verify, wanted)


@pytest.mark.parametrize("numbers", [(0,), (1,), (0, 1)])
async def test_a_log_verifies_when_parts_of_it_were_pruned(database: str, numbers: tuple[int, ...]) -> None:
    """At its beginning and amid it; roots, checkpoints and all that is left are checked, and the report says so."""
    await store_log(database, LOG)
    whole, since = await verified(database)
    assert whole.fault is None, str(whole.fault)
    await prune(database, *numbers)
    after = records(*numbers)
    async with connected(database) as conn, conn.transaction():
        await store_growth(conn, after)
    report, state = await verified(database)
    assert report.fault is None, str(report.fault)
    assert (report.size, report.root) == (after.after.size, after.after.edge.root)
    assert report.checkpoints == len(LOG.manifests) + 1
    places = f"entries {numbers[0] * PARTITION} to {(numbers[-1] + 1) * PARTITION - 1} were pruned"
    assert any(line.startswith(places) for line in report.unchecked)
    onwards, again = await verified(database, since)
    assert onwards.fault is None, str(onwards.fault)
    assert again == state


@pytest.mark.parametrize(
    ("after", "statement", "kind", "first", "end"),
    [
        (records(0, 1), "DELETE FROM leaf_hashes WHERE start = 64", "tile-missing", 64, 128),
        (records(0, 1), f"{FLIP} WHERE start = 64", "root", LOG.manifests[1] - 1, LOG.manifests[1]),
        (records(0, 1), f"{ADD} 1024, hashes FROM leaf_hashes LIMIT 1", "unexpected", 1024, 1088),
        (records(0), "SELECT", "partition", 512, 1024),
        (records(0, 1, root=bytes(32)), "SELECT", "partition", 0, 512),
        (records(0, 1), "UPDATE partitions SET location = 's3://x' WHERE number = 1", "partition", 512, 1024),
        (records(0, 1), "UPDATE partitions SET pruned_at = NULL WHERE number = 1", "bundle-missing", 512, 576),
        (
            records(0, 1),
            "UPDATE partitions SET pruned_at = now() WHERE number = 2",
            "partition",
            LOG.state.size + 3,
            LOG.state.size + 3,
        ),
        (
            records(0, 1),
            f"UPDATE manifests SET lines = (SELECT lines FROM manifests LIMIT 1) WHERE size = {FIRST_AFTER}",
            "manifest-row",
            FIRST_AFTER - 1,
            FIRST_AFTER,
        ),
    ],
)
async def test_what_does_not_fit_what_was_pruned_is_told(
    database: str, after: Growth, statement: str, kind: str, first: int, end: int
) -> None:
    """Hashes that are missing or wrong, a pruning that nobody recorded, heads that the next manifest does not name."""
    await store_log(database, LOG)
    await prune(database, 0, 1)
    async with connected(database) as conn:
        async with conn.transaction():
            await store_growth(conn, after)
        await conn.execute(statement)
    fault = (await verified(database))[0].fault
    assert fault is not None
    assert (fault.kind, fault.first, fault.end) == (kind, first, end), str(fault)


@pytest.mark.parametrize(("skips", "kind"), [(0, None), (2, "site-sequence")])
async def test_a_site_that_is_silent_for_long_goes_on_where_the_manifest_says(
    database: str, skips: int, kind: str | None
) -> None:
    """Its first entry behind the gap follows manifests that count it, whose lines the database keeps."""
    await store_log(database, log_of(SHORT, ["rare"] * 3, ["north"] * 9, skips=skips))
    await prune(database, 0)
    report, _ = await asyncio.to_thread(verify, Verification(DatabaseSource(database), TRUST))
    assert (report.fault and report.fault.kind) == kind, str(report.fault)
    assert not any("manifests" in line for line in report.unchecked)
