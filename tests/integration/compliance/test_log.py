"""The log takes every event of every service, exactly once and byte for byte, and lets nobody take one back."""

import asyncio
from base64 import b64decode
from collections import Counter
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.compliance.log.entry import parse_entry
from services.compliance.log.handlers import append_events
from services.compliance.log.sources import RestSource, database_source
from services.compliance.log.verify import verify
from shared.bus import Batch
from shared.bus.postgres import PostgresBus
from shared.consumer import Consumer
from shared.database import open_pool
from shared.errors import Replaced, Unavailable
from shared.events import CONTRACTS
from shared.events.inventory import SiteChanged
from tests.conftest import execute
from tests.integration.compliance.publishing import AUDITOR, COMPLIANCE, Sender, sample_of, until_size
from tests.integration.conftest import Run, login

NORTH = SiteChanged(name="Northfield", time_zone="Europe/Berlin", version=1)


async def logged(database: str) -> Counter[bytes]:
    """The events of all entries, as the bytes behind their headers."""
    async with database_source(database) as source:
        await source.claim()
        return Counter([parse_entry(stored.entry or b"").event async for stored in source.stored()])


async def published(database: str) -> Counter[bytes]:
    """The exact bytes of all that is on the bus."""
    conn = await asyncpg.connect(database)
    rows = await conn.fetch("SELECT value FROM bus.log")
    await conn.close()
    return Counter(row["value"] for row in rows)


async def test_every_type_of_every_service_is_logged_once_with_its_exact_bytes(
    run: Run, bus: PostgresBus, database: str
) -> None:
    """What is on the bus and what is in the log are the same byte strings, and the log verifies from both sides."""
    for module in {contract.__module__ for contract in CONTRACTS.values()}:
        sender = Sender(bus, module.rsplit(".", 1)[1])
        for name, contract in CONTRACTS.items():
            if contract.__module__ == module:
                raws = [sender.event(sample_of(contract), site_id=site) for site in ("north", "south", "group")]
                await sender.send(name, raws)
    async with run(**COMPLIANCE) as steward:
        auditor = steward.as_("audrey", *AUDITOR)
        await until_size(steward, 3 * len(CONTRACTS))
        assert await logged(database) == await published(database)
        from_rest = await verify(RestSource(auditor))
        async with database_source(database) as source:
            assert await verify(source) == from_rest
        head = (await auditor.get("/compliance/v1/log/head")).json()
        assert from_rest.fault is None
        assert (from_rest.size, from_rest.root) == (head["size"], b64decode(head["root"]))
        assert (from_rest.size, from_rest.sites) == (3 * len(CONTRACTS), 3)


async def test_own_events_of_compliance_are_logged_too(run: Run, database: str) -> None:
    """A key that compliance issues is an entry of the whole group."""
    async with run(**COMPLIANCE) as steward:
        expires_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        body = {"name": "robot", "grants": ["viewer:*"], "expires_at": expires_at}
        assert (await steward.admin.post("/compliance/v1/keys", json=body)).status_code == 201
        await until_size(steward, 1)
        event = await steward.heard.until("key.changed")
        assert await logged(database) == Counter([event.raw])


async def test_entries_are_served_in_pages_of_exact_bytes(run: Run, bus: PostgresBus) -> None:
    """From any start, to the head and no further; a site's auditor does not see that there are any."""
    sender = Sender(bus, "inventory")
    raws = [sender.event(NORTH) for _ in range(70)]
    await sender.send("site.changed", raws)
    async with run(**COMPLIANCE) as steward:
        auditor = steward.as_("audrey", *AUDITOR)
        await until_size(steward, 70)
        page = (await auditor.get("/compliance/v1/log/entries?start=30&limit=35")).json()
        assert [item["index"] for item in page["items"]] == list(range(30, 65))
        assert [parse_entry(b64decode(item["entry"])).event for item in page["items"]] == raws[30:65]
        assert page["items"][0]["indexed"]["site_sequence"] == 30
        assert page["next"] == "65"
        last = (await auditor.get("/compliance/v1/log/entries?start=65")).json()
        assert (len(last["items"]), last["next"]) == (5, None)
        assert (await auditor.get("/compliance/v1/log/entries?start=9000")).json() == {"items": [], "next": None}
        for url, status in (("entries", 404), ("head", 200), ("roots", 200)):
            assert (await steward.as_("noah", "auditor:north").get(f"/compliance/v1/log/{url}")).status_code == status
            assert (await steward.as_("victor", "viewer:*").get(f"/compliance/v1/log/{url}")).status_code == 403
        for wrong in ("entries?start=-1", "entries?limit=257", "roots?cursor=x"):
            assert (await auditor.get(f"/compliance/v1/log/{wrong}")).status_code == 422


async def test_writers_at_once_never_fork_the_log(bus: PostgresBus, database: str) -> None:
    """Two consumers append batches of many partitions at the same time, and each tries the other's batches too."""
    sender = Sender(bus, "inventory")
    batches = [
        Batch(name, partition, [(n, sender.event(sample_of(contract))) for n in range(20)])
        for name, contract in CONTRACTS.items()
        for partition in range(2)
    ]
    pool = await open_pool(login(database, "steward_compliance"), schema="compliance", application="test")
    one, two = (Consumer("compliance", pool, bus, {}, append_events) for _ in range(2))
    try:
        outcomes = await asyncio.gather(
            *(consumer.apply(batch) for batch in batches for consumer in (one, two)), return_exceptions=True
        )
    finally:
        await pool.close()
    assert Counter(map(type, outcomes)) == {type(None): len(batches), Replaced: len(batches)}
    async with database_source(database) as source:
        report = await verify(source)
    assert (report.fault, report.size, report.roots) == (None, 20 * len(batches), len(batches))
    assert set((await logged(database)).values()) == {1}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = ''",
        "DELETE FROM entries",
        "TRUNCATE entries",
        "UPDATE events SET actor = 'nobody'",
        "DELETE FROM events",
        "UPDATE roots SET root = ''",
        "DELETE FROM roots",
        "DELETE FROM head",
        "INSERT INTO head (single) VALUES (true)",
        "DELETE FROM sites",
        "ALTER TABLE entries DISABLE TRIGGER ALL",
        "DROP TABLE entries",
    ],
)
async def test_the_service_can_not_take_anything_back(database: str, statement: str) -> None:
    """Its role can select and insert; the database refuses the rest."""
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
        "invalid unicode": good[0].replace(b"Northfield", b"North\xff"),
        "time": sender.event(NORTH).replace(b'"time":"20', b'"time":"9999-01-01T00:00:00Z","was":"20'),
        "the limit is 49152": good[0].replace(b"Northfield", b"N" * 50_000),
        "message": b"{",
        "handler": sender.event(NORTH, actor="zero\x00byte"),
    }
    good += [sender.event(NORTH), sender.event(NORTH)]
    await sender.send("site.changed", [good[0], *bad.values(), good[1], good[1], good[2]])
    async with run(**COMPLIANCE) as steward:
        auditor = steward.as_("audrey", *AUDITOR)
        await until_size(steward, 3)
        held = (await steward.admin.get("/compliance/v1/quarantine")).json()["items"]
        assert len(held) == len(bad)
        for item, reason in zip(held, bad, strict=True):
            assert reason in item["reason"].lower()
        assert await logged(database) == Counter(good)
        assert (await verify(RestSource(auditor))).fault is None


async def test_a_log_out_of_order_stops_and_puts_no_event_aside(bus: PostgresBus, database: str) -> None:
    """When the fault is the log's, events wait on the bus instead of filling quarantine."""
    sender = Sender(bus, "inventory")
    pool = await open_pool(login(database, "steward_compliance"), schema="compliance", application="test")
    consumer = Consumer("compliance", pool, bus, {}, append_events)
    try:
        await consumer.apply(Batch("site.changed", 0, [(0, sender.event(NORTH))]))
        for damage in (
            "UPDATE compliance.head SET frontier = '{}'",
            "UPDATE compliance.head SET size = 0, frontier = '{}'",
        ):
            await execute(database, damage)
            with pytest.raises(Unavailable, match="steward log verify"):
                await consumer.apply(Batch("site.changed", 0, [(1, sender.event(NORTH))]))
        assert await pool.fetchval("SELECT count(*) FROM quarantine") == 0
    finally:
        await pool.close()


async def test_a_replayed_message_is_logged(run: Run, bus: PostgresBus, database: str) -> None:
    """What a person lets out of quarantine becomes an entry like any other."""
    sender = Sender(bus, "inventory")
    raw = sender.event(NORTH)
    conn = await asyncpg.connect(database)
    await conn.execute(
        """INSERT INTO compliance.quarantine (id, topic, partition, "offset", raw, reason, quarantined_at)
           VALUES ('0198c0de-0000-7000-8000-000000000001', 'site.changed', 0, 77, $1, 'test', now())""",
        raw,
    )
    await conn.close()
    async with run(**COMPLIANCE) as steward:
        url = "/compliance/v1/quarantine/0198c0de-0000-7000-8000-000000000001/replay"
        assert (await steward.admin.post(url)).status_code == 200
        assert await logged(database) == Counter([raw])
