"""SQL of the log. Entries, roots and index rows are only ever added; the role could not change them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter

from services.compliance.log.append import Growth
from services.compliance.log.bundle import CHUNK
from services.compliance.log.domain import Chunk, Claim, Damaged, Head, Indexed, Root, Stored, join_stored
from services.compliance.log.tree import Frontier
from shared.database import Connection

INDEXED = [field.name for field in fields(Indexed)]
_indexed_values = attrgetter(*INDEXED)


async def lock_head(conn: Connection) -> Head:
    """The head, held by this transaction alone until it ends; whoever else wants to append waits.

    Raises Damaged when its size and its frontier do not fit.
    """
    row = await conn.fetchrow("SELECT size, root, frontier, recorded_at, epoch FROM head FOR UPDATE")
    if row is None:
        raise Damaged("the log has no head")
    size, root, frontier, recorded_at, epoch = row
    try:
        return Head(Frontier(size, tuple(frontier)), root, recorded_at, epoch)
    except ValueError as exc:
        raise Damaged(f"the log's head: {exc}") from exc


async def select_claim(conn: Connection) -> Claim:
    """What the log says of itself. Raises Damaged when there is no head."""
    row = await conn.fetchrow("SELECT size, root, recorded_at, frontier FROM head")
    if row is None:
        raise Damaged("the log has no head")
    size, root, recorded_at, frontier = row
    return Claim(size, root, recorded_at, tuple(frontier), await select_next_sequences(conn, None))


async def select_next_sequences(conn: Connection, sites: Collection[str] | None) -> dict[str, int]:
    """The next sequence of each of ``sites`` that has an entry; None stands for all."""
    rows = await conn.fetch(
        "SELECT site_id, next_sequence FROM sites WHERE $1::text[] IS NULL OR site_id = ANY($1)",
        None if sites is None else list(sites),
    )
    return {row["site_id"]: row["next_sequence"] for row in rows}


async def insert_growth(conn: Connection, growth: Growth) -> None:
    """Writes all that a batch adds. The caller holds the head's lock."""
    chunks = [(chunk.start, chunk.body, chunk.hashes) for chunk in growth.chunks]
    await conn.copy_records_to_table("entries", records=chunks, columns=["start", "body", "hashes"])
    rows = [(index, *_indexed_values(indexed)) for index, indexed in growth.indexed]
    await conn.copy_records_to_table("events", records=rows, columns=["index", *INDEXED])
    await conn.execute(
        "INSERT INTO roots (size, previous_size, root, recorded_at) VALUES ($1, $2, $3, $4)",
        growth.root.size,
        growth.root.previous_size,
        growth.root.root,
        growth.root.recorded_at,
    )
    await _upsert_next_sequences(conn, growth.next_sequences)
    await conn.execute(
        "UPDATE head SET size = $1, root = $2, frontier = $3, recorded_at = $4",
        growth.head.size,
        growth.head.root,
        growth.head.frontier.hashes,
        growth.head.recorded_at,
    )


async def _upsert_next_sequences(conn: Connection, next_sequences: Mapping[str, int]) -> None:
    await conn.execute(
        """INSERT INTO sites (site_id, next_sequence) SELECT * FROM unnest($1::text[], $2::bigint[])
           ON CONFLICT (site_id) DO UPDATE SET next_sequence = excluded.next_sequence""",
        list(next_sequences),
        list(next_sequences.values()),
    )


async def select_stored(conn: Connection, start: int, end: int) -> list[Stored]:
    """Entries and index rows from index ``start`` up to ``end``, also where one of the two is missing."""
    chunks = await conn.fetch(
        "SELECT start, body, hashes FROM entries WHERE start >= $1 AND start < $2 ORDER BY start",
        start - start % CHUNK,
        end,
    )
    rows = await conn.fetch(
        f"SELECT index, {', '.join(INDEXED)} FROM events WHERE index >= $1 AND index < $2",  # noqa: S608 -- our columns
        start,
        end,
    )
    indexed = [(row["index"], Indexed(*list(row)[1:])) for row in rows]
    return join_stored([Chunk(*row) for row in chunks], indexed, start, end)


async def select_chunks(conn: Connection, indices: Sequence[int]) -> list[Chunk]:
    """The chunks that hold the entries of ``indices``."""
    rows = await conn.fetch(
        """SELECT DISTINCT ON (c.start) c.start, c.body, c.hashes FROM unnest($1::bigint[]) AS wanted(index)
           CROSS JOIN LATERAL (
               SELECT * FROM entries WHERE start <= wanted.index ORDER BY start DESC LIMIT 1) c
           ORDER BY c.start""",
        indices,
    )
    return [Chunk(*row) for row in rows]


async def select_first_beyond(conn: Connection, size: int) -> int | None:
    """The first index at or beyond ``size`` that has an entry or an index row; in a sound log there is none."""
    index: int | None = await conn.fetchval(
        """SELECT least((SELECT min(start) FROM entries WHERE start >= $1),
                        (SELECT min(index) FROM events WHERE index >= $1))""",
        size,
    )
    return index


async def select_roots(conn: Connection, after: int, limit: int) -> list[Root]:
    """Recorded roots of trees larger than ``after``, by size."""
    rows = await conn.fetch(
        "SELECT size, previous_size, root, recorded_at FROM roots WHERE size > $1 ORDER BY size LIMIT $2", after, limit
    )
    return [Root(*row) for row in rows]
