"""The log takes every event of every service, exactly once and byte for byte, and lets nobody take one back."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from shared.bus.postgres import PostgresBus
from shared.events import CONTRACTS
from shared.events.inventory import SiteChanged
from tests.conftest import execute
from tests.harness import Harness
from tests.integration.compliance.appending.checking import check_log
from tests.integration.compliance.publishing import COMPLIANCE, Sender, sample_of
from tests.integration.conftest import Run, login
from tests.news import until

NORTH = SiteChanged(name="Northfield", time_zone="Europe/Berlin", version=1)
HELD = "0198c0de-0000-7000-8000-000000000001"


async def logged(database: str) -> Counter[bytes]:
    """The events of all entries but manifests, as the bytes behind their headers, of a log that is found whole."""
    return Counter((await check_log(database)).heard)


async def published(database: str) -> Counter[bytes]:
    """The exact bytes of all that is on the bus."""
    conn = await asyncpg.connect(database)
    rows = await conn.fetch("SELECT value FROM bus.log")
    await conn.close()
    return Counter(row["value"] for row in rows)


async def until_logged(steward: Harness, count: int) -> None:
    """Returns when that many events are entries; manifests do not count."""
    await until(steward.pools["compliance"], "SELECT size - (SELECT count(*) FROM manifests) >= $1 FROM head", count)


async def hold(database: str, raw: bytes) -> None:
    """Puts a message into quarantine, as an older release may have done."""
    conn = await asyncpg.connect(database)
    await conn.execute(
        """INSERT INTO compliance.quarantine (id, topic, partition, "offset", raw, reason, quarantined_at)
           VALUES ($1, 'site.changed', 0, 77, $2, 'test', now())""",
        HELD,
        raw,
    )
    await conn.close()


async def test_every_type_of_every_service_is_logged_once_with_its_exact_bytes(
    run: Run, bus: PostgresBus, database: str
) -> None:
    """What is on the bus and what is in the log are the same byte strings."""
    for module in {contract.__module__ for contract in CONTRACTS.values()}:
        sender = Sender(bus, module.rsplit(".", 1)[1])
        for name, contract in CONTRACTS.items():
            if contract.__module__ == module:
                raws = [sender.event(sample_of(contract), site_id=site) for site in ("north", "south", "group")]
                await sender.send(name, raws)
    async with run(**COMPLIANCE) as steward:
        await until_logged(steward, 3 * len(CONTRACTS))
        assert await logged(database) == await published(database)


async def test_own_events_of_compliance_are_logged_too(run: Run, database: str) -> None:
    """A key that compliance issues is an entry of the whole group."""
    async with run(**COMPLIANCE) as steward:
        expires_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        body = {"name": "robot", "grants": ["viewer:*"], "expires_at": expires_at}
        assert (await steward.admin.post("/compliance/v1/keys", json=body)).status_code == 201
        await until_logged(steward, 1)
        event = await steward.heard.until("key.changed")
        assert await logged(database) == Counter([event.raw])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chunks SET body = ''",
        "DELETE FROM chunks",
        "TRUNCATE chunks",
        "UPDATE subtrees SET hash = hash",
        "DELETE FROM subtrees",
        "UPDATE events SET actor = 0",
        "DELETE FROM events",
        "DELETE FROM mentions",
        "DELETE FROM days",
        "UPDATE types SET type = type",
        "DELETE FROM head",
        "INSERT INTO head (single) VALUES (true)",
        "DELETE FROM sites",
        "DELETE FROM partitions",
        "UPDATE manifests SET root = root",
        "DELETE FROM manifests",
        "UPDATE checkpoints SET note = note",
        "DELETE FROM checkpoints",
        "DELETE FROM cosignatures",
        "ALTER TABLE chunks DISABLE TRIGGER ALL",
        "DROP TABLE chunks",
        "UPDATE chunks_0 SET body = ''",
        "DELETE FROM events_0",
        "DROP TABLE events_0",
    ],
)
async def test_the_service_can_not_take_anything_back(database: str, statement: str) -> None:
    """Its role can select and insert; the database refuses the rest, in each partition too."""
    await execute(database, "SET search_path = compliance; SELECT make_partition(0)")
    conn = await asyncpg.connect(login(database, "steward_compliance"), server_settings={"search_path": "compliance"})
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)
    finally:
        await conn.close()


async def test_what_is_no_event_is_put_aside_and_the_rest_goes_on(run: Run, bus: PostgresBus, database: str) -> None:
    """Quarantine holds each bad message with its reason; a repeat is dropped; the good ones are all logged."""
    sender = Sender(bus, "inventory")
    good = [sender.event(NORTH)]
    bad = {
        "data": good[0].replace(b'"version":1', b'"version":"one"').replace(b"00001", b"00011"),
        "dataschema": good[0].replace(b"site.changed:1", b"site.changed:9"),
        "type": good[0].replace(b'"type":"site.changed"', b'"type":"asset.changed"'),
        "utf-8": good[0].replace(b"Northfield", b"North\xff"),
        "time": sender.event(NORTH).replace(b'"time":"20', b'"time":"9999-01-01T00:00:00Z","was":"20'),
        "the limit is 49152": good[0].replace(b"Northfield", b"N" * 50_000),
        "envelope": b"{",
    }
    good += [sender.event(NORTH), sender.event(NORTH, actor="zero\x00byte")]
    await sender.send("site.changed", [good[0], *bad.values(), good[1], good[1], good[2]])
    async with run(**COMPLIANCE) as steward:
        await until_logged(steward, 3)
        held = (await steward.admin.get("/compliance/v1/quarantine")).json()["items"]
        assert len(held) == len(bad)
        for item, reason in zip(held, bad, strict=True):
            assert reason in item["reason"].lower()
        assert await logged(database) == Counter(good)


async def test_a_log_out_of_order_stops_and_puts_no_event_aside(run: Run, bus: PostgresBus, database: str) -> None:
    """When the fault is the log's, events wait on the bus instead of filling quarantine."""
    sender = Sender(bus, "inventory")
    await sender.send("site.changed", [sender.event(NORTH)])
    async with run(**COMPLIANCE) as steward:
        await until_logged(steward, 1)
    await execute(database, "UPDATE compliance.head SET tail_hashes = ''")
    await sender.send("site.changed", [sender.event(NORTH)])
    async with run(**COMPLIANCE) as steward:
        pool = steward.pools["compliance"]
        epoch = await pool.fetchval("SELECT epoch FROM head")
        await until(pool, "SELECT epoch >= $1 + 3 FROM head", epoch)
        assert "the log's head" in (await steward.admin.get("/compliance/health/ready")).json()["consumer"]
        assert await pool.fetchval("SELECT count(*) FROM quarantine") == 0
        assert await pool.fetchval("SELECT sum(next_offset) FROM positions WHERE topic = 'site.changed'") == 1


async def test_a_replayed_message_is_logged(run: Run, bus: PostgresBus, database: str) -> None:
    """What a person lets out of quarantine becomes an entry like any other, and the writer goes on behind it."""
    sender = Sender(bus, "inventory")
    raw, later = sender.event(NORTH), sender.event(NORTH)
    await hold(database, raw)
    async with run(**COMPLIANCE) as steward:
        url = f"/compliance/v1/quarantine/{HELD}/replay"
        assert (await steward.admin.post(url)).status_code == 200
        await sender.send("site.changed", [later])
        await until_logged(steward, 2)
        assert await logged(database) == Counter([raw, later])


async def test_a_message_that_the_log_has_is_not_replayed(run: Run, bus: PostgresBus, database: str) -> None:
    """A relay that crashed sends a message twice: laid aside the first time, and read the second, it is one event."""
    raw = Sender(bus, "inventory").event(NORTH)
    await hold(database, raw)
    async with run(**COMPLIANCE) as steward:
        await Sender(bus, "inventory").send("site.changed", [raw])
        await until_logged(steward, 1)
        answer = await steward.admin.post(f"/compliance/v1/quarantine/{HELD}/replay")
        assert answer.status_code == 409
        assert "the message is in the log: it is entry 0" in answer.text
        assert await logged(database) == Counter([raw])
