"""Old entries leave the database for an archive, and come back: nothing is lost, everything stays provable."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from moto.server import ThreadedMotoServer

from services.compliance.checkpoints.checkpoint import open_checkpoint
from services.compliance.checkpoints.proof_file import verify_proof_file
from services.compliance.log.handlers import read_tiles
from services.compliance.log.hashing import leaf_hashes
from services.compliance.log.proofs import plan_consistency, plan_inclusions, verify_consistency, verify_inclusion
from services.compliance.log.tiles import Bundle, split_bundle
from shared.errors import Unavailable
from shared.events.compliance import HoldChanged
from tests.conftest import execute
from tests.integration.compliance.publishing import AUDITOR
from tests.integration.compliance.retention.old_log import (
    KEY,
    URL,
    WIDTH,
    Aged,
    advance_all,
    ask,
    index_sums,
    plan,
    retention,
)
from tests.integration.conftest import login
from tests.news import until

WAITS_FOR_HOLDS = "SELECT count(*) FROM pg_locks WHERE relation = 'compliance.legal_holds'::regclass AND NOT granted"


async def test_the_plan_says_what_keeps_each_partition(aged: Aged) -> None:
    """Young entries stay for six years, or for as long as policies of their kinds say; a growing partition stays."""
    async with aged() as steward:
        admin = steward.admin
        first, _, third = await plan(steward)
        assert (first["first"], first["end"], first["state"]) == (0, WIDTH, "kept")
        assert [kind[1] for kind in first["kinds"]].count("site.changed") == 2
        assert len(first["kept_by"]) == 1
        assert third["kept_by"][0] == "the log has not grown past it"
        assert first["size_bytes"] > 10_000
        days = datetime.fromisoformat(first["due_at"]) - datetime.fromisoformat(first["last_recorded"])
        assert days == timedelta(days=2192)
        for body in ({"days": 1, "reason": "a test"}, {"type": "site.changed", "days": 5000}):
            assert (await admin.post(f"{URL}/policies", json=body)).status_code == 201
        longer = (await plan(steward))[0]
        assert datetime.fromisoformat(longer["due_at"]) - datetime.fromisoformat(longer["last_recorded"]) == timedelta(
            5000
        )
        refused = await admin.post(f"{URL}/prune", json={"partitions": [0, 1]})
        assert (refused.status_code, len(refused.json()["kept_by"])) == (409, 1)
        assert (await admin.post(f"{URL}/prune", json={"partitions": [99]})).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("holds", {"site_id": "nroth", "reason": "case 5"}, "site_id"),
        ("holds", {"type": "probe.results", "reason": "case 5"}, "type"),
        ("policies", {"site_id": "nroth", "days": 5000}, "site_id"),
        ("policies", {"type": "probe.results", "days": 5000}, "type"),
    ],
)
async def test_what_names_no_site_and_no_type_is_refused(
    aged: Aged, path: str, body: dict[str, Any], field: str
) -> None:
    """A hold that was mistyped would keep nothing, and nobody would see it before the entries are gone."""
    async with aged() as steward:
        refused = await steward.admin.post(f"{URL}/{path}", json=body)
        assert refused.status_code == 422, refused.text
        assert [fault["field"] for fault in refused.json()["errors"]] == [field]
        assert (await steward.admin.get(f"{URL}/{path}")).json() == []
        placed = {"site_id": "north", "type": "backup.failed", "reason": "none failed until now", "days": 5000}
        if path == "holds":
            placed.pop("days")
        assert (await steward.admin.post(f"{URL}/{path}", json=placed)).status_code == 201


async def test_a_partition_that_there_is_not_is_not_restored(aged: Aged) -> None:
    """As it is not pruned: 404. One that is there and was not pruned is a conflict."""
    async with aged() as steward:
        for number, status in ((99, 404), (0, 409)):
            refused = await steward.admin.post(f"{URL}/restore", json={"partition": number, "days": 30})
            assert refused.status_code == status, refused.text


async def test_a_hold_keeps_a_partition_until_it_is_released(aged: Aged, database: str, folder: Path) -> None:
    """Also one that is placed after the prune was asked for; the database itself refuses as well."""
    async with aged() as steward:
        schedule = retention(steward, database, f"file://{folder}")
        await ask(database, 0)
        assert await schedule.advance()
        placed = await steward.admin.post(f"{URL}/holds", json={"site_id": "north", "reason": "case 4 O 17/26"})
        await advance_all(schedule)
        first = (await plan(steward))[0]
        assert (first["state"], first["fault"]) == ("archived", f"it must stay: {first['kept_by'][1]}")
        assert "case 4 O 17/26" in first["fault"]
        conn = await asyncpg.connect(
            login(database, "steward_compliance"), server_settings={"search_path": "compliance"}
        )
        with pytest.raises(asyncpg.RaiseError, match="is held"):
            await conn.execute("SELECT prune_partition(0)")
        await conn.close()
        hold = placed.json()
        released = await steward.admin.post(
            f"{URL}/holds/{hold['id']}/release", json={"reason": "closed"}, headers={"If-Match": placed.headers["ETag"]}
        )
        assert released.json()["release_reason"] == "closed"
        await ask(database, 0)
        await advance_all(schedule)
        assert (await plan(steward))[0]["state"] == "pruned"
        heard = [event.data.state for event in steward.heard.events if isinstance(event.data, HoldChanged)]
        assert heard == ["placed", "released"]


async def test_a_hold_of_a_subject_that_comes_while_a_partition_goes_keeps_it(
    aged: Aged, database: str, folder: Path
) -> None:
    """It was placed after the partition was read and before it was dropped: the plan tells of it, and nothing fails."""
    async with aged() as steward:
        schedule = retention(steward, database, f"file://{folder}")
        await ask(database, 0)
        assert await schedule.advance()
        placing = await asyncpg.connect(database)
        transaction = placing.transaction()
        await transaction.start()
        await placing.execute(
            """INSERT INTO compliance.legal_holds (id, subject, reason, placed_by, placed_at, version)
               VALUES ('hold-1', 'archive', 'case 7', 'anna', now(), 1)"""
        )
        pruning = asyncio.create_task(schedule.advance())
        while not await placing.fetchval(WAITS_FOR_HOLDS):
            assert not pruning.done()
            await asyncio.sleep(0)
        await transaction.commit()
        await placing.close()
        assert await pruning
        first = (await plan(steward))[0]
        assert (first["state"], "case 7" in first["fault"]) == ("archived", True)


async def test_after_pruning_every_proof_and_every_kept_checkpoint_holds(
    aged: Aged, database: str, folder: Path
) -> None:
    """Entries are gone and say where they are; their inclusion can be proved still, as can what follows them."""
    async with aged() as steward:
        auditor = steward.as_("audrey", *AUDITOR)
        pool = steward.pools["compliance"]
        entry = (await auditor.get("/compliance/v1/events/300")).json()
        await ask(database, 0, 1)
        await advance_all(retention(steward, database, f"file://{folder}"))
        assert [part["state"] for part in await plan(steward)] == ["pruned", "pruned", "kept"]
        assert (await plan(steward))[0]["size_bytes"] == 0
        gone = await auditor.get("/compliance/v1/events/300")
        assert (gone.status_code, gone.json()["location"]) == (410, f"file://{folder}")
        notes = await pool.fetch("SELECT note FROM checkpoints ORDER BY size")
        checkpoints = [open_checkpoint(note.encode(), [KEY.verifier]) for (note,) in notes]
        newest = checkpoints[-1]
        async with pool.acquire() as conn:
            for older in checkpoints:
                consistency = plan_consistency(older.size, newest.size)
                [proof] = consistency.solve(await read_tiles(conn, consistency.tiles))
                verify_consistency(older.size, newest.size, older.root, newest.root, proof)
            inclusion = plan_inclusions([300], newest.size)
            [proof] = inclusion.solve(await read_tiles(conn, inclusion.tiles))
        archived = split_bundle(Bundle(1), (folder / Bundle(1).path).read_bytes())[300 - 256]
        verify_inclusion(300, newest.size, leaf_hashes([archived]), proof, newest.root)
        assert entry["event"]["id"].encode() in archived
        file = await auditor.get("/compliance/v1/log/proof/file/300")
        since = [size for (size,) in await pool.fetch("SELECT size FROM checkpoints WHERE size >= $1", newest.size)]
        assert verify_proof_file(file.content, leaf_hashes([archived]), [KEY.verifier]).size in since
        assert (await steward.as_("nora", "auditor:north").get(file.request.url)).status_code == 410
        left = (await auditor.get("/compliance/v1/events", params={"limit": "500", "order": "asc"})).json()["items"]
        assert min(item["index"] for item in left) >= 2 * WIDTH
        for moved in ("log.archived", "log.pruned"):
            await steward.heard.until(moved, lambda event: event.data.first == WIDTH)
        types = [event.type for event in steward.heard.events if event.type.startswith("log.")]
        assert types.count("log.archived") == types.count("log.pruned") == 2


async def test_a_restored_partition_is_searched_again_and_goes_again(aged: Aged, database: str, folder: Path) -> None:
    """What search finds then is what it found before; after its time it is pruned without a new copy."""
    async with aged() as steward:
        auditor = steward.as_("audrey", *AUDITOR)

        async def found() -> list[dict[str, Any]]:
            parameters = {"site_id": "north", "type": "site.changed", "limit": "500", "order": "asc"}
            items: list[dict[str, Any]] = (await auditor.get("/compliance/v1/events", params=parameters)).json()[
                "items"
            ]
            return [item for item in items if item["index"] < WIDTH]

        before = await found()
        schedule = retention(steward, database, f"file://{folder}")
        counts = await index_sums(database)
        await ask(database, 0)
        await advance_all(schedule)
        assert await found() == []
        assert (await steward.admin.post(f"{URL}/restore", json={"partition": 0, "days": 30})).status_code == 202
        early = replace(schedule, clock=lambda: datetime.now(UTC))
        await advance_all(early)
        assert await found() == before
        assert await index_sums(database) == counts
        assert (await plan(steward))[0]["state"] == "restored"
        await steward.heard.until("log.restored")
        await advance_all(schedule)
        assert (await plan(steward))[0]["state"] == "pruned"
        assert await found() == []


async def test_a_damaged_archive_is_not_restored(aged: Aged, database: str, folder: Path) -> None:
    """One byte in one bundle; the partition stays out, and the plan says which file is wrong."""
    async with aged() as steward:
        schedule = retention(steward, database, f"file://{folder}")
        await ask(database, 0)
        await advance_all(schedule)
        file = folder / Bundle(1).path
        body = bytearray(file.read_bytes())
        body[-5] ^= 1
        file.write_bytes(bytes(body))
        assert (await steward.admin.post(f"{URL}/restore", json={"partition": 0, "days": 1})).status_code == 202
        await advance_all(replace(schedule, clock=lambda: datetime.now(UTC)))
        first = (await plan(steward))[0]
        assert first["state"] == "restoring"
        assert Bundle(1).path in first["fault"]
        assert (await steward.as_("audrey", *AUDITOR).get("/compliance/v1/events/3")).status_code == 410


async def test_what_is_damaged_in_the_log_is_not_archived(aged: Aged, database: str, folder: Path) -> None:
    """Nothing is dropped; the partition halts with the reason."""
    async with aged() as steward:
        await execute(
            database,
            "UPDATE compliance.chunks SET hashes = set_byte(hashes, 7, get_byte(hashes, 7) # 1) WHERE start = 64",
        )
        await ask(database, 0)
        await advance_all(retention(steward, database, f"file://{folder}"))
        first = (await plan(steward))[0]
        assert (first["state"], "0 to 255" in first["fault"]) == ("planned", True)


async def test_an_archive_that_holds_other_bytes_is_never_written_over(aged: Aged, database: str, folder: Path) -> None:
    """Somebody else's log lies in that folder."""
    async with aged() as steward:
        other = folder / Bundle(0).path
        other.parent.mkdir(parents=True)
        other.write_bytes(b"another log")
        await ask(database, 0)
        await advance_all(retention(steward, database, f"file://{folder}"))
        assert "holds other bytes" in (await plan(steward))[0]["fault"]
        assert other.read_bytes() == b"another log"


async def test_a_checkpoint_that_was_archived_before_witnesses_signed_it_is_left(
    aged: Aged, database: str, folder: Path
) -> None:
    """It says the same; one that says anything else is in the way."""
    async with aged() as steward:
        newest = "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1"
        [(size, note)] = await steward.pools["compliance"].fetch(newest)
        cosigned = f"INSERT INTO compliance.cosignatures VALUES ({size}, 'north', '— north AAAA')"
        await execute(database, cosigned)
        file = folder / "checkpoints" / str(size)
        file.parent.mkdir()
        for text, state, fault in (
            ("another\n\n", "planned", f"{file.name} holds other bytes"),
            (note, "archived", ""),
        ):
            file.write_text(text)
            await ask(database, 0)
            assert await retention(steward, database, f"file://{folder}").advance()
            first = (await plan(steward))[0]
            assert (first["state"], fault in (first["fault"] or "")) == (state, True)
            assert file.read_text() == text


async def test_a_partition_that_is_not_archived_is_not_dropped(aged: Aged, database: str) -> None:
    """By nobody who has the service's login, whatever it says."""
    async with aged():
        conn = await asyncpg.connect(
            login(database, "steward_compliance"), server_settings={"search_path": "compliance"}
        )
        with pytest.raises(asyncpg.RaiseError, match="is not archived"):
            await conn.execute("SELECT prune_partition(0)")
        with pytest.raises(asyncpg.RaiseError, match="is not complete"):
            await conn.execute("SELECT prune_partition(2)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("DROP TABLE chunks_0")
        await conn.close()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real S3 server's address, with a bucket ``archive``."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    httpx.put(f"{url}/archive", headers={"Host": f"{host}:{port}"}).raise_for_status()
    yield url
    server.stop()


async def test_a_bucket_is_an_archive_as_good_as_a_folder(aged: Aged, database: str, bucket: str) -> None:
    """Archived to S3, pruned, and restored from there."""
    async with aged() as steward:
        schedule = retention(steward, database, "s3://archive/log", endpoint=bucket)
        counts = await index_sums(database)
        await ask(database, 0)
        await advance_all(schedule)
        assert (await plan(steward))[0]["state"] == "pruned"
        assert (await steward.admin.post(f"{URL}/restore", json={"partition": 0, "days": 1})).status_code == 202
        await advance_all(replace(schedule, clock=lambda: datetime.now(UTC)))
        assert (await plan(steward))[0]["state"] == "restored"
        assert await index_sums(database) == counts


async def test_an_archive_that_is_away_holds_nothing_up_and_loses_nothing(
    aged: Aged, database: str, folder: Path
) -> None:
    """The partition stays planned, the log goes on, and the next attempt finds what the first one wrote."""
    async with aged() as steward:
        schedule = retention(steward, database, f"file://{folder}")
        await ask(database, 0)
        blocked = folder / "tile" / "entries" / "001"
        blocked.mkdir(parents=True)
        with pytest.raises(Unavailable, match="tile/entries/001"):
            await schedule.advance()
        assert ((await plan(steward))[0]["state"], (await plan(steward))[0]["fault"]) == ("planned", None)
        blocked.rmdir()
        await advance_all(schedule)
        assert (await plan(steward))[0]["state"] == "pruned"


async def test_two_replicas_do_not_move_the_same_partition(aged: Aged, database: str, folder: Path) -> None:
    """The second one waits until the first is gone; each step happens once."""
    async with aged(archive=None) as steward:
        schedules = [retention(steward, database, f"file://{folder}") for _ in range(2)]
        await ask(database, 0, 1)
        running = [asyncio.create_task(schedule.run()) for schedule in schedules]
        await until(steward.pools["compliance"], "SELECT count(*) = 2 FROM archives WHERE state = 'pruned'")
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await steward.heard.until("log.pruned", lambda event: event.data.first == 0)
        await steward.heard.until("log.pruned", lambda event: event.data.first == WIDTH)
        assert len([event for event in steward.heard.events if event.type == "log.pruned"]) == 2


async def test_without_an_archive_nothing_moves(aged: Aged, database: str) -> None:
    """The refusal names the setting."""
    async with aged(archive=None) as steward:
        body = {"days": 1, "reason": "a test"}
        assert (await steward.admin.post(f"{URL}/policies", json=body)).status_code == 201
        await execute(database, "UPDATE compliance.partitions SET last_recorded = last_recorded - interval '2 days'")
        for path, wish in (("prune", {"partitions": [0]}), ("restore", {"partition": 0, "days": 1})):
            refused = await steward.admin.post(f"{URL}/{path}", json=wish)
            assert (refused.status_code, "STEWARD_LOG_ARCHIVE" in refused.json()["detail"]) == (409, True)
