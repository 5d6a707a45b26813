"""Somebody with all rights in the database changes the log; verification names what he did, from both sides."""

from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from services.compliance.log.bundle import join_entries, split_entries
from services.compliance.log.handlers import append_events
from services.compliance.log.sources import RestSource, database_source
from services.compliance.log.tree import leaf_hash
from services.compliance.log.verify import Fault, Kind, verify
from shared.bus import Batch
from shared.bus.postgres import PostgresBus
from shared.consumer import Consumer
from shared.database import open_pool
from shared.events.inventory import SiteChanged
from tests.integration.compliance.publishing import AUDITOR, COMPLIANCE, Sender
from tests.integration.conftest import Run, login

Superuser = Any
BATCH = 40
BATCHES = 3


@pytest.fixture
async def superuser(bus: PostgresBus, database: str) -> Any:
    """All rights, in the schema of a log that has 3 batches of 40 events, those of two sites by turns."""
    sender = Sender(bus, "inventory")
    pool = await open_pool(login(database, "steward_compliance"), schema="compliance", application="test")
    consumer = Consumer("compliance", pool, bus, {}, append_events)
    data = SiteChanged(name="Hospital", time_zone="Europe/Berlin", version=1)
    for first in range(0, BATCH * BATCHES, BATCH):
        raws = [
            (offset, sender.event(data, site_id=("north", "south")[offset % 2]))
            for offset in range(first, first + BATCH)
        ]
        await consumer.apply(Batch("site.changed", 0, raws))
    await pool.close()
    conn = await asyncpg.connect(database, server_settings={"search_path": "compliance"})
    yield conn
    await conn.close()


async def rewrite_chunk(conn: Superuser, index: int, change: Callable[[list[bytes]], None], rehash: bool) -> None:
    """Changes the entries of the chunk that holds ``index``, and their leaf hashes with them if told."""
    start, body, hashes = await conn.fetchrow(
        "SELECT start, body, hashes FROM entries WHERE start <= $1 ORDER BY start DESC LIMIT 1", index
    )
    entries, _ = split_entries(body)
    change(entries)
    hashes = b"".join(map(leaf_hash, entries)) if rehash else hashes
    await conn.execute(
        "UPDATE entries SET body = $2, hashes = $3 WHERE start = $1", start, join_entries(entries), hashes
    )


async def flip_byte(conn: Superuser) -> None:
    """One letter of entry 70, the seventh of its chunk."""

    def flip(entries: list[bytes]) -> None:
        entries[6] = entries[6].replace(b"Hospital", b"Hospitam")

    await rewrite_chunk(conn, 70, flip, rehash=False)


async def flip_byte_and_rehash(conn: Superuser) -> None:
    """The same, with the leaf hash made to fit."""

    def flip(entries: list[bytes]) -> None:
        entries[6] = entries[6].replace(b"Hospital", b"Hospitam")

    await rewrite_chunk(conn, 70, flip, rehash=True)


async def cut_out_entry(conn: Superuser) -> None:
    """Entry 70 with its leaf hash; those behind it in the chunk move up."""

    def cut(entries: list[bytes]) -> None:
        del entries[6]

    await rewrite_chunk(conn, 70, cut, rehash=True)


async def swap_entries(conn: Superuser) -> None:
    """Entries 70 and 72, both of one site."""

    def swap(entries: list[bytes]) -> None:
        entries[6], entries[8] = entries[8], entries[6]

    await rewrite_chunk(conn, 70, swap, rehash=True)


async def change_entry_sequence(conn: Superuser) -> None:
    """The site sequence in the header of entry 70, with the leaf hash made to fit."""

    def change(entries: list[bytes]) -> None:
        entries[6] = entries[6].replace(b"north 35 ", b"north 36 ")

    await rewrite_chunk(conn, 70, change, rehash=True)


def sql(statement: str) -> Callable[[Superuser], Awaitable[None]]:
    """Tampering by one statement."""

    async def run_it(conn: Superuser) -> None:
        await conn.execute(statement)

    return run_it


TAMPERED: list[tuple[Callable[[Superuser], Awaitable[None]], int, Kind, str]] = [
    (flip_byte, 70, "leaf-hash", "the entry's bytes hash to"),
    (flip_byte_and_rehash, 79, "root", "entries 40 to 79"),
    (cut_out_entry, 70, "index", "site_id is north, the entry says south"),
    (swap_entries, 70, "site-sequence", "number 36 of site north, and number 35 is due"),
    (change_entry_sequence, 70, "site-sequence", "number 36 of site north, and number 35 is due"),
    (sql("DELETE FROM entries WHERE start = 64"), 64, "entry-missing", ""),
    (
        sql("UPDATE events SET actor = 'mallory' WHERE index = 70"),
        70,
        "index",
        "actor is mallory, the entry says alice",
    ),
    (sql("UPDATE events SET site_sequence = 3 WHERE index = 70"), 70, "index", "site_sequence is 3"),
    (sql("UPDATE events SET time = time + interval '1 us' WHERE index = 70"), 70, "index", "time is"),
    (sql("UPDATE events SET causation_id = 'x' WHERE index = 70"), 70, "index", "causation_id is x"),
    (sql("DELETE FROM events WHERE index = 70"), 70, "index-missing", ""),
    (sql("UPDATE roots SET root = sha256('') WHERE size = 80"), 79, "root", "entries 40 to 79"),
    (sql("DELETE FROM roots WHERE size = 80"), 40, "root-missing", "entries 80 to 119"),
    (sql("UPDATE roots SET recorded_at = now() WHERE size = 80"), 40, "recorded-at", ""),
    (sql("UPDATE head SET root = sha256('')"), 120, "head", "the head's root"),
    (sql("UPDATE head SET recorded_at = now()"), 120, "head", "the head's time"),
    (sql("UPDATE head SET size = 130"), 120, "entry-missing", ""),
]


async def faults(run: Run, database: str) -> tuple[Fault | None, Fault | None]:
    """What verification says over the database, and over REST."""
    async with database_source(database) as source:
        direct = (await verify(source)).fault
    async with run(**COMPLIANCE) as steward:
        return direct, (await verify(RestSource(steward.as_("audrey", *AUDITOR)))).fault


@pytest.mark.parametrize(("tamper", "index", "kind", "detail"), TAMPERED)
async def test_tampering_is_found_and_named(
    run: Run,
    database: str,
    superuser: Superuser,
    tamper: Callable[[Superuser], Awaitable[None]],
    index: int,
    kind: Kind,
    detail: str,
) -> None:
    """The entry, the kind, and what is there in place of what is due; the same over REST as in the database."""
    await tamper(superuser)
    direct, over_rest = await faults(run, database)
    assert direct is not None
    assert (direct.index, direct.kind) == (index, kind)
    assert detail in direct.detail
    assert over_rest is not None
    assert (over_rest.index, over_rest.kind) == (index, kind)


@pytest.mark.parametrize(
    ("statement", "index", "kind"),
    [
        ("UPDATE sites SET next_sequence = 7 WHERE site_id = 'north'", 120, "next-sequence"),
        ("INSERT INTO sites VALUES ('west', 1)", 120, "next-sequence"),
        ("UPDATE head SET frontier = '{}'", 120, "head"),
        ("UPDATE head SET size = 80", 80, "entry-beyond-head"),
        ("INSERT INTO roots SELECT 130, 120, root, recorded_at FROM roots LIMIT 1", 120, "root-beyond-head"),
        ("INSERT INTO entries SELECT 128, body, hashes FROM entries LIMIT 1", 128, "entry-beyond-head"),
    ],
)
async def test_tampering_that_only_the_database_shows_is_found_there(
    database: str, superuser: Superuser, statement: str, index: int, kind: Kind
) -> None:
    """What the service does not serve can be verified with its database only."""
    await superuser.execute(statement)
    async with database_source(database) as source:
        fault = (await verify(source)).fault
    assert fault is not None
    assert (fault.index, fault.kind) == (index, kind)


async def test_untouched_log_verifies(run: Run, database: str, superuser: Superuser) -> None:
    """The log that the other tests tamper with is sound to begin with, and its head says the computed root."""
    assert await faults(run, database) == (None, None)
    async with run(**COMPLIANCE) as steward:
        auditor = steward.as_("audrey", *AUDITOR)
        report = await verify(RestSource(auditor))
        root = (await auditor.get("/compliance/v1/log/head")).json()["root"]
    assert (report.size, report.roots, report.sites, report.root) == (120, 3, 2, b64decode(root))
