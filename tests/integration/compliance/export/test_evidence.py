"""Evidence out of a real log: what is found there is what a verifier accepts, whatever the period."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from services.compliance.checkpoints.cosignature import CosignatureKey
from services.compliance.export import handlers
from services.compliance.export.evidence import Claim, Evidence
from services.compliance.export.handlers import open_evidence
from services.compliance.export.package import Refuted, verify_evidence
from services.compliance.log.domain import Damaged
from services.compliance.log.entry import parse_entry
from services.compliance.log.handlers import read_entries
from shared.database import open_pool
from shared.errors import Conflict, Malformed
from tests.conftest import execute
from tests.integration.compliance.export.filled_log import KEY, ORIGIN, WITNESS, FilledLog, filled_log, minute
from tests.integration.conftest import login

SITES = ("north", "south", "group")


@pytest.fixture
async def log(database: str) -> AsyncIterator[FilledLog]:
    """A log whose partitions are small enough for a test to pass from one to the next."""
    await execute(database, "UPDATE compliance.head SET partition_entries = 512")
    pool = await open_pool(login(database, "steward_compliance"), schema="compliance", application="test")
    try:
        yield await filled_log(pool)
    finally:
        await pool.close()


async def fill(log: FilledLog) -> None:
    """1,600 entries in batches of every width; the site `late` joins in the middle, and checkpoints come and go."""
    for number, count in enumerate([1, 3, 62, 64, 65, 1, 1, 300, 130, 5]):
        await log.fill(number, count)
    await log.seal(10)
    for number, count in enumerate([500, 2, 440, 7], start=11):
        await log.fill(number, count, (*SITES, "late"))
    await log.seal(15)


async def package(log: FilledLog, claim: Claim) -> bytes:
    """The package as a client gets it."""
    pieces = await open_evidence(log.read, claim, [str(KEY.verifier)])
    return b"".join([piece async for piece in pieces])


def verify(folder: Path, raw: bytes) -> Evidence | Refuted:
    """The verifier's answer, when the witness must have cosigned."""
    path = folder / "evidence.zip"
    path.write_bytes(raw)
    return verify_evidence(path, [KEY.verifier], [CosignatureKey.parse(str(WITNESS.verifier))], 1)


async def within(log: FilledLog, claim: Claim) -> list[int]:
    """The site's numbers of the entries that belong in, by reading the whole log."""
    async with log.read() as conn:
        size = await conn.fetchval("SELECT size FROM head")
        entries = [parse_entry(raw) for raw in (await read_entries(conn, range(size))).values()]
    own = [entry for entry in entries if entry.site_id == claim.site_id]
    return [entry.site_sequence for entry in own if claim.start <= entry.recorded_at < claim.end]


PERIODS = [(-10, 100), (0, 1), (3, 3.5), (0.5, 0.9), (7, 9), (8, 12), (11, 12), (11.5, 13.5), (14, 15), (14.5, 20)]


@pytest.mark.parametrize("site_id", [*SITES, "late"])
async def test_every_period_of_every_site_is_proved(log: FilledLog, tmp_path: Path, site_id: str) -> None:
    """Through chunks, bundles and partitions, with the entries of others between."""
    await fill(log)
    for start, end in PERIODS:
        claim = Claim(site_id, minute(start), minute(end))
        found = verify(tmp_path, await package(log, claim))
        numbers = await within(log, claim)
        assert isinstance(found, Evidence), (start, end, found)
        assert (found.entries, found.origin) == (len(numbers), ORIGIN), (start, end)
        assert (found.first_sequence, found.last_sequence) == ((numbers[0], numbers[-1]) if numbers else (None, None))
        assert found.complete_until == min(claim.end, minute(15))


async def test_a_checkpoint_that_its_witness_has_cosigned_is_preferred(log: FilledLog, tmp_path: Path) -> None:
    """The newest may have been published a moment ago."""
    await log.fill(0, 10)
    await log.seal(1)
    await log.fill(2, 10)
    await log.seal(3, cosigned=False)
    found = verify(tmp_path, await package(log, Claim("north", minute(0), minute(9))))
    assert isinstance(found, Evidence), found
    assert found.complete_until == minute(1)


async def test_what_nothing_is_signed_for_is_refused_before_anything_is_sent(log: FilledLog) -> None:
    """No checkpoint, an unknown site, a period that begins behind the last checkpoint."""
    await log.fill(0, 10)
    with pytest.raises(Conflict, match="no checkpoint was published yet"):
        await package(log, Claim("north", minute(0), minute(9)))
    await log.seal(1)
    with pytest.raises(Conflict, match="the site west had no entry"):
        await package(log, Claim("west", minute(0), minute(9)))
    with pytest.raises(Conflict, match="before the period began"):
        await package(log, Claim("north", minute(1), minute(9)))


async def test_a_period_whose_beginning_was_pruned_is_refused(log: FilledLog, database: str, tmp_path: Path) -> None:
    """Nothing could show that no entry is missing there; a later period is proved as before."""
    await fill(log)
    for table in ("chunks", "events", "mentions"):
        await execute(database, f"DROP TABLE compliance.{table}_0")
    await execute(database, "UPDATE compliance.partitions SET pruned_at = now(), location = 's3://a' WHERE number = 0")
    with pytest.raises(Conflict, match=r"restore its archive \(s3://a\)"):
        await package(log, Claim("north", minute(8), minute(14)))
    found = verify(tmp_path, await package(log, Claim("north", minute(12), minute(14))))
    assert isinstance(found, Evidence), found


async def test_an_index_row_that_is_gone_ends_the_export_in_an_error(log: FilledLog, database: str) -> None:
    """The package would be refused; so it is cut, and what was sent is no zip file."""
    await fill(log)
    await execute(
        database,
        """DELETE FROM compliance.events WHERE index = (SELECT max(index) FROM compliance.events
           WHERE index < 1000 AND site = (SELECT number FROM compliance.sites WHERE site_id = 'north'))""",
    )
    with pytest.raises(Damaged, match="is missing; run `steward log verify`"):
        await package(log, Claim("north", datetime(2026, 1, 1, tzinfo=UTC), minute(100)))


async def test_an_entry_that_is_gone_and_was_not_pruned_is_told_as_damage(log: FilledLog, database: str) -> None:
    """No archive has it, so nobody is sent to look for one."""
    await fill(log)
    await execute(
        database,
        "DELETE FROM compliance.events WHERE site = (SELECT number FROM compliance.sites WHERE site_id = 'north')",
    )
    with pytest.raises(Conflict, match="nothing was pruned: run `steward log verify`"):
        await package(log, Claim("north", minute(8), minute(14)))


async def test_evidence_that_takes_too_long_is_refused_with_advice(
    log: FilledLog, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No statement of it runs for ever, here because somebody has locked the index."""
    await fill(log)
    monkeypatch.setattr(handlers, "STATEMENT_SECONDS", 1)
    conn = await asyncpg.connect(database)
    try:
        async with conn.transaction():
            await conn.execute("LOCK TABLE compliance.events")
            with pytest.raises(Malformed, match="ask for a shorter time"):
                await package(log, Claim("north", minute(3), minute(9)))
    finally:
        await conn.close()
    assert await package(log, Claim("north", minute(3), minute(9)))
