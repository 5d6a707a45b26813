"""SQL of verification: all that a log's tables hold, read in ranges and believed in nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from asyncpg import Record

from services.compliance.verify.columns import Columns
from services.compliance.verify.domain import ManifestRow, Noted, PartitionRow
from shared.database import Connection

PARTITIONED = ("chunks", "events", "mentions")

Chunk = tuple[bytes, bytes, datetime | None]
"""A chunk's packed body, its hashes, and when it was recorded."""


@dataclass(frozen=True, slots=True)
class HeadRow:
    """What the log says of itself."""

    size: int
    tail: bytes
    tail_hashes: bytes
    recorded_at: datetime | None
    partition_entries: int


async def export_snapshot(conn: Connection) -> str:
    """A name by which other transactions see what this one sees, as long as it lasts."""
    name: str = await conn.fetchval("SELECT pg_export_snapshot()")
    return name


async def use_snapshot(conn: Connection, name: str) -> None:
    """Makes this transaction, which has asked nothing yet, see what the one that exported ``name`` sees."""
    await conn.execute(f"SET TRANSACTION SNAPSHOT '{name}'")


async def select_head(conn: Connection) -> HeadRow | None:
    """The head; None when there is none."""
    row = await conn.fetchrow("SELECT size, tail, tail_hashes, recorded_at, partition_entries FROM head")
    return None if row is None else HeadRow(*row)


async def select_sites(conn: Connection) -> Sequence[tuple[str, int, int]]:
    """The sites: their ids, numbers and next sequences."""
    return [tuple(row) for row in await conn.fetch("SELECT site_id, number, next_sequence FROM sites")]


async def select_types(conn: Connection) -> dict[str, int]:
    """The types and their numbers."""
    return {row["type"]: row["number"] for row in await conn.fetch("SELECT type, number FROM types")}


async def select_chunks(conn: Connection, first: int, end: int) -> dict[int, Chunk]:
    """The chunks that begin at ``first`` or later and before ``end``, by where they begin."""
    rows = await conn.fetch(
        "SELECT start, body, hashes, recorded_at FROM chunks WHERE start >= $1 AND start < $2", first, end
    )
    return {row["start"]: (row["body"], row["hashes"], row["recorded_at"]) for row in rows}


async def select_events(conn: Connection, first: int, end: int) -> Columns:
    """The columns of the index rows of entries from ``first`` up to ``end``, by index, laid out as EVENT says.

    Where a column holds nothing, which it may not, there stands a time, digest or outcome that no entry has.
    """
    row = await conn.fetchrow(
        r"""SELECT string_agg(int8send(index), ''),
                   string_agg(coalesce(timestamptz_send(time), '\x8000000000000000'), ''),
                   string_agg(coalesce(int8send(subject) || int8send(actor), '\x80000000000000008000000000000000'), ''),
                   string_agg(coalesce(int8send(correlation), '\x8000000000000000'), ''),
                   string_agg(coalesce(int2send(site) || int2send(type) || int2send(outcome), '\x800080008000'), '')
            FROM (SELECT * FROM events WHERE index >= $1 AND index < $2 ORDER BY index) AS part""",
        first,
        end,
    )
    return _columns(row)


async def select_mentions(conn: Connection, first: int, end: int) -> Columns:
    """The columns of the mentions of entries from ``first`` up to ``end``, by index and subject, as MENTION says.

    Where one holds nothing, there stands a time, digest or site that no entry has.
    """
    row = await conn.fetchrow(
        r"""SELECT string_agg(int8send(index), ''),
                   string_agg(coalesce(timestamptz_send(time), '\x8000000000000000'), ''),
                   string_agg(coalesce(int8send(subject), '\x8000000000000000'), ''),
                   string_agg(coalesce(int2send(site), '\x8000'), '')
            FROM (SELECT * FROM mentions WHERE index >= $1 AND index < $2
                  ORDER BY index, subject, time, site) AS part""",
        first,
        end,
    )
    return _columns(row)


def _columns(row: Record | None) -> Columns:
    return tuple([column or b"" for column in row or ()])


async def select_subtrees(conn: Connection, level: int, first: int, end: int) -> Mapping[int, bytes]:
    """The subtrees of a level from number ``first`` up to ``end``, by their numbers."""
    rows = await conn.fetch(
        "SELECT number, hash FROM subtrees WHERE level = $1 AND number >= $2 AND number < $3", level, first, end
    )
    return {row["number"]: row["hash"] for row in rows}


async def select_outlying_subtree(conn: Connection, size: int) -> tuple[int, int] | None:
    """A subtree that a log of ``size`` entries has not completed, by its level and number."""
    row = await conn.fetchrow(
        "SELECT level, number FROM subtrees WHERE number < 0 OR number >= $1::bigint >> (8 * level) LIMIT 1", size
    )
    return None if row is None else tuple(row)


async def select_manifests(conn: Connection, after: int, upto: int) -> list[ManifestRow]:
    """The manifests that close sizes above ``after`` and not above ``upto``."""
    rows = await conn.fetch(
        "SELECT size, root, lines FROM manifests WHERE size > $1 AND size <= $2 ORDER BY size", after, upto
    )
    return [ManifestRow(*row) for row in rows]


async def select_checkpoints(conn: Connection, after: int, upto: int) -> list[Noted]:
    """The checkpoints of sizes above ``after`` and not above ``upto``, with their cosignatures."""
    rows = await conn.fetch(
        """SELECT size, note || coalesce((SELECT string_agg(line, '' ORDER BY witness)
                                         FROM cosignatures WHERE cosignatures.size = checkpoints.size), '')
           FROM checkpoints WHERE size > $1 AND size <= $2 ORDER BY size""",
        after,
        upto,
    )
    return [Noted(size, note.encode()) for size, note in rows]


async def select_latest_size(conn: Connection) -> int | None:
    """The size of the newest checkpoint. One of no entries is none of the log's."""
    size: int | None = await conn.fetchval("SELECT max(size) FROM checkpoints WHERE size > 0")
    return size


async def select_misnamed_cosignature(conn: Connection) -> tuple[int, str] | None:
    """The first cosignature of no checkpoint, or under another name than its line has: the size, and the name."""
    row = await conn.fetchrow(
        """SELECT size, witness FROM cosignatures
           WHERE NOT starts_with(line, '— ' || witness || ' ') OR strpos(line, E'\\n') <> length(line)
              OR size NOT IN (SELECT size FROM checkpoints)
           ORDER BY size, witness LIMIT 1"""
    )
    return None if row is None else tuple(row)


async def select_days(conn: Connection) -> dict[tuple[date, int, int], int]:
    """How many events each day, site and type has."""
    rows = await conn.fetch("SELECT day, site, type, count FROM days")
    return {(row["day"], row["site"], row["type"]): row["count"] for row in rows}


async def select_partitions(conn: Connection) -> dict[int, PartitionRow]:
    """What is kept of each partition."""
    rows = await conn.fetch(
        """SELECT number, first_time, last_time, first_recorded, last_recorded, pruned_at, location FROM partitions
           ORDER BY number"""
    )
    return {row["number"]: PartitionRow(list(row)[1:5], row["pruned_at"], row["location"]) for row in rows}


async def select_leaf_hashes(conn: Connection, first: int, end: int) -> dict[int, bytes]:
    """The leaf hashes of pruned chunks that begin at ``first`` or later and before ``end``."""
    rows = await conn.fetch("SELECT start, hashes FROM leaf_hashes WHERE start >= $1 AND start < $2", first, end)
    return {row["start"]: row["hashes"] for row in rows}


async def select_stray_hashes(conn: Connection, pruned: Sequence[int], width: int) -> int | None:
    """The start of leaf hashes that are neither of a partition that was pruned nor those of a chunk."""
    start: int | None = await conn.fetchval(
        """SELECT min(start) FROM leaf_hashes
           WHERE NOT (start - start % $2 = ANY($1::bigint[]) AND start % 64 = 0)
             AND NOT EXISTS (SELECT FROM chunks WHERE chunks.start = leaf_hashes.start
                                                  AND chunks.hashes = leaf_hashes.hashes)""",
        pruned,
        width,
    )
    return start


async def select_children(conn: Connection) -> set[tuple[str, str]]:
    """The partitions that the tables really have: their names, and the bounds that PostgreSQL keeps."""
    rows = await conn.fetch(
        """SELECT child.relname, pg_get_expr(child.relpartbound, child.oid)
           FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
           WHERE inhparent = ANY(ARRAY['chunks', 'events', 'mentions']::regclass[])"""
    )
    return {(name, bounds) for name, bounds in rows}


async def select_first_beyond(conn: Connection, size: int, tail: int) -> tuple[str, int] | None:
    """A row of what a log of ``size`` entries, whose unfinished chunk begins at ``tail``, does not have yet."""
    row = await conn.fetchrow(
        """SELECT * FROM (
               SELECT 'chunks' AS what, min(start) AS place FROM chunks WHERE start >= $2
               UNION ALL SELECT 'events', min(index) FROM events WHERE index >= $1
               UNION ALL SELECT 'mentions', min(index) FROM mentions WHERE index >= $1
               UNION ALL SELECT 'manifests', min(size - 1) FROM manifests WHERE size < 1 OR size > $1
               UNION ALL SELECT 'checkpoints', min(size - 1) FROM checkpoints WHERE size < 1 OR size > $1) AS beyond
           WHERE place IS NOT NULL ORDER BY place LIMIT 1""",
        size,
        tail,
    )
    return None if row is None else tuple(row)
