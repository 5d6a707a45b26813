"""Recomputes a whole log from its entries by RFC 6962's own definitions, and compares all else that is stored."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import asyncpg

from services.compliance.log import store
from services.compliance.log.entry import Entry, parse_entry
from services.compliance.log.index import correlation_digest, digest
from services.compliance.verify.database import DatabaseSource
from services.compliance.verify.handlers import Verification, verify
from shared.database import connect
from tests.small_log import split


@dataclass(frozen=True)
class Checked:
    """What a log that was found whole holds."""

    entries: Sequence[Entry]
    epoch: int

    @property
    def heard(self) -> list[bytes]:
        """The events that came over the bus, in the order of their entries."""
        return [entry.event for entry in self.entries if b'"type":"log.manifest"' not in entry.event]

    def of_type(self, event_type: str) -> list[bytes]:
        """The events of one type."""
        return [event for event in self.heard if f'"type":"{event_type}"'.encode() in event]


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """MTH (RFC 6962 §2.1) of leaves that are hashed already."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    middle = split(len(leaves))
    return sha256(b"\x01" + tree_root(leaves[:middle]) + tree_root(leaves[middle:])).digest()


async def check_log(database: str) -> Checked:
    """Asserts that every part of the log says the same, and that `steward log verify` says so too."""
    report, _ = await asyncio.to_thread(verify, Verification(DatabaseSource(database)))
    assert report.fault is None
    conn = await connect(database, schema="compliance", application="test-check", settings={"steward.sites": "*"})
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            size = await conn.fetchval("SELECT size FROM head")
            found = await store.select_entries(conn, range(size))
            raw = [found[index] for index in range(size)]
            entries = [parse_entry(entry) for entry in raw]
            await _check_tree(conn, [sha256(b"\x00" + entry).digest() for entry in raw])
            await _check_sites(conn, entries)
            await _check_index(conn, entries)
            return Checked(entries, await conn.fetchval("SELECT epoch FROM head"))
    finally:
        await conn.close()


async def _check_tree(conn: "asyncpg.Connection[asyncpg.Record]", leaves: Sequence[bytes]) -> None:
    chunks = await conn.fetch("SELECT hashes FROM chunks ORDER BY start")
    tail: bytes = await conn.fetchval("SELECT tail_hashes FROM head")
    assert b"".join([*(row["hashes"] for row in chunks), tail]) == b"".join(leaves)
    assert (await store.select_state(conn)).edge.root == tree_root(leaves)
    subtrees = {
        (level, number): tree_root(leaves[number << 8 * level : (number + 1) << 8 * level])
        for level in (1, 2)
        for number in range(len(leaves) >> 8 * level)
    }
    rows = await conn.fetch("SELECT level, number, hash FROM subtrees")
    assert {(row["level"], row["number"]): row["hash"] for row in rows} == subtrees
    manifests = await conn.fetch("SELECT size, root FROM manifests")
    assert all(root == tree_root(leaves[:size]) for size, root in manifests)


async def _check_sites(conn: "asyncpg.Connection[asyncpg.Record]", entries: Sequence[Entry]) -> None:
    sequences: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        sequences[entry.site_id].append(entry.site_sequence)
    assert all(found == list(range(len(found))) for found in sequences.values())
    rows = await conn.fetch("SELECT site_id, next_sequence FROM sites")
    assert {row["site_id"]: row["next_sequence"] for row in rows} == {
        site: len(all_) for site, all_ in sequences.items()
    }
    recorded = [entry.recorded_at for entry in entries]
    assert recorded == sorted(recorded)


async def _check_index(conn: "asyncpg.Connection[asyncpg.Record]", entries: Sequence[Entry]) -> None:
    rows = await conn.fetch(
        """SELECT index, site_id, types.type, subject, actor, correlation
           FROM events JOIN sites ON sites.number = site JOIN types ON types.number = events.type ORDER BY index"""
    )
    events = [json.loads(entry.event) for entry in entries]
    assert [tuple(row) for row in rows] == [
        (
            index,
            event["siteid"],
            event["type"],
            digest(event["subject"]),
            digest(event["actor"]),
            correlation_digest(event["correlationid"]),
        )
        for index, event in enumerate(events)
    ]
    assert await conn.fetchval("SELECT coalesce(sum(count), 0) FROM days") == len(entries)
    assert max(Counter(event["id"] for event in events).values(), default=1) == 1
