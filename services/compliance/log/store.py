"""SQL of the log. Entries, subtrees and index rows are only ever added; the role could not change them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO

from services.compliance.log.append import tail_hashes
from services.compliance.log.bundle import BUNDLE, CHUNK, join_entries, pack, split_entries, unpack
from services.compliance.log.domain import (
    Chunk,
    Damaged,
    Growth,
    Indexed,
    Pruned,
    Site,
    State,
    StoredTiles,
    check_present,
    join_chunks,
    pick_entries,
)
from services.compliance.log.index import (
    COPY_HEADER,
    COPY_TRAILER,
    EVENT_COLUMNS,
    MENTION_COLUMNS,
    Envelope,
    correlation_digest,
    digest,
)
from services.compliance.log.tiles import Tile
from services.compliance.log.tree import TILE, Edge, Subtree
from shared.database import Connection
from shared.errors import Gone, Replaced

GUEST = "steward-log-guest"
"""The name of a session while it holds the head's lock for something else than a writer's batches."""

# A lease that lasts longer than any does was given by a clock that has been set back since.
_LAPSED = "NOT leased_until BETWEEN clock_timestamp() AND clock_timestamp() + {} * interval '1.5 seconds'"


async def take_lease(conn: Connection, holder: str, seconds: float, patience: float) -> int | None:
    """Makes ``holder`` the writer and returns its epoch, or None while another one's lease lasts.

    Only the database's clock counts. Raises LockNotAvailable when another one holds the head's lock for ``patience``
    seconds.
    """
    await conn.execute(f"SET LOCAL lock_timeout = {int(1000 * patience)}")
    epoch: int | None = await conn.fetchval(
        f"""UPDATE head SET epoch = epoch + 1, holder = $1, leased_until = clock_timestamp() + $2 * interval '1 second'
           WHERE {_LAPSED.format("$2")} RETURNING epoch""",  # noqa: S608 -- a condition of ours
        holder,
        seconds,
    )
    return epoch


async def select_lapsed_holder(conn: Connection, seconds: float) -> str | None:
    """The writer whose lease has ended."""
    holder: str | None = await conn.fetchval(
        f"SELECT holder FROM head WHERE {_LAPSED.format('$1')}",  # noqa: S608 -- a condition of ours
        seconds,
    )
    return holder


async def end_sessions(conn: Connection, applications: Sequence[str]) -> None:
    """Ends the database sessions of writers that have stopped, and with them the locks that they hold."""
    await conn.execute(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE application_name = ANY($1) AND usename = current_user AND pid <> pg_backend_pid()""",
        list(applications),
    )


async def lock_epoch(conn: Connection) -> int:
    """The epoch of the writer, which can't append until this transaction ends. All sites are visible to it."""
    await conn.execute("SELECT set_config('steward.sites', '*', true), set_config('application_name', $1, true)", GUEST)
    epoch: int = await conn.fetchval("SELECT epoch FROM head FOR UPDATE")
    return epoch


async def give_lease_back(conn: Connection, epoch: int) -> None:
    """Ends the lease of ``epoch``, so that the next writer need not wait for its end."""
    await conn.execute("UPDATE head SET leased_until = '-infinity' WHERE epoch = $1", epoch)


async def select_state(conn: Connection) -> State:
    """The log as it stands. Raises Damaged when its parts do not fit."""
    row = await conn.fetchrow("SELECT size, tail, tail_hashes, recorded_at FROM head")
    if row is None:
        raise Damaged("the log has no head")
    try:
        edge = Edge(row["size"], await _select_edge(conn, row["size"], row["tail_hashes"]))
        tail = split_entries(unpack(row["tail"]))
    except ValueError as exc:
        raise Damaged(f"the log's head: {exc}") from exc
    if len(tail) != row["size"] % CHUNK:
        raise Damaged(f"the log's head counts {row['size']} entries, and its tail holds {len(tail)}")
    sites = await conn.fetch("SELECT site_id, number, next_sequence FROM sites")
    types = await conn.fetch("SELECT type, number FROM types")
    return State(
        edge=edge,
        tail=tail,
        recorded_at=row["recorded_at"],
        sites={site_id: Site(number, next_sequence) for site_id, number, next_sequence in sites},
        types=dict(types),  # type: ignore[arg-type]  # -- a record of two is a pair
    )


async def _select_edge(conn: Connection, size: int, tail: bytes) -> tuple[bytes, ...]:
    if not size:
        return ()
    chunks = await conn.fetch(
        "SELECT hashes FROM chunks WHERE start >= $1 AND start < $2 ORDER BY start", size - size % BUNDLE, size
    )
    tiles = [b"".join([row["hashes"] for row in chunks]) + tail]
    while size >> (8 * len(tiles)):
        width = size >> (8 * len(tiles))
        tiles.append(await select_subtrees(conn, len(tiles), width - width % TILE, width))
    return tuple(tiles)


async def append(conn: Connection, growth: Growth, *, epoch: int, lease_seconds: float) -> None:
    """Writes all that a batch adds and renews the writer's lease.

    Raises Replaced when another writer has taken over, or the head is not where this batch begins.
    """
    after = growth.after
    moved = await conn.fetchval(
        """UPDATE head SET size = $3, tail = $4, tail_hashes = $5, recorded_at = $6,
                  leased_until = clock_timestamp() + $7 * interval '1 second'
           WHERE epoch = $1 AND size = $2 RETURNING partition_entries""",
        epoch,
        growth.before.size,
        after.size,
        pack(join_entries(after.tail)),
        tail_hashes(after),
        after.recorded_at,
        lease_seconds,
    )
    if moved is None:
        raise Replaced(f"another writer has taken over the audit log from epoch {epoch}")
    if growth.after.size > growth.before.size:
        await _insert_names(conn, growth)
        for number, first, last in _partitions(growth, moved):
            await _insert_part(conn, growth, number, first, last)
        await _insert_subtrees(conn, growth.subtrees)
        await count_days(conn, growth.indexed.days)
    if growth.manifest is not None:
        manifest = growth.manifest
        await conn.execute(
            "INSERT INTO manifests (size, root, lines) VALUES ($1, $2, $3)",
            manifest.size,
            manifest.root,
            pack(b"\n".join(manifest.lines)),
        )


async def _insert_names(conn: Connection, growth: Growth) -> None:
    await conn.execute(
        """INSERT INTO sites (site_id, number, next_sequence)
           SELECT * FROM unnest($1::text[], $2::smallint[], $3::bigint[])
           ON CONFLICT (number) DO UPDATE SET next_sequence = excluded.next_sequence""",
        list(growth.sites),
        [site.number for site in growth.sites.values()],
        [site.next_sequence for site in growth.sites.values()],
    )
    if growth.types:
        await conn.execute(
            "INSERT INTO types (type, number) SELECT * FROM unnest($1::text[], $2::smallint[])",
            list(growth.types),
            list(growth.types.values()),
        )


def _partitions(growth: Growth, width: int) -> Iterator[tuple[int, int, int]]:
    """Each partition that the batch touches, with the first index of the batch in it and the one after its last."""
    start = growth.before.size
    while start < growth.after.size:
        number = start // width
        end = min(growth.after.size, (number + 1) * width)
        yield number, start, end
        start = end


async def _insert_part(conn: Connection, growth: Growth, number: int, first: int, last: int) -> None:
    """Writes what falls into one partition, straight into it: COPY does not go together with row-level security."""
    part = slice(first - growth.before.size, last - growth.before.size)
    times, recorded_at = growth.indexed.times[part], growth.after.recorded_at
    if not await _extend_partition(conn, number, times, recorded_at):
        await conn.execute("SELECT make_partition($1)", number)
        await _extend_partition(conn, number, times, recorded_at)
    chunks = [chunk for chunk in growth.chunks if first < chunk.start + CHUNK <= last]
    await _insert_chunks(conn, number, [(chunk, recorded_at) for chunk in chunks])
    await _copy(conn, f"events_{number}", EVENT_COLUMNS, growth.indexed.rows[part])
    await _copy(conn, f"mentions_{number}", MENTION_COLUMNS, growth.indexed.mentions[part])


async def _insert_chunks(conn: Connection, number: int, chunks: Sequence[tuple[Chunk, datetime | None]]) -> None:
    if chunks:
        await conn.copy_records_to_table(
            f"chunks_{number}",
            records=[(chunk.start, chunk.body, chunk.hashes, recorded_at) for chunk, recorded_at in chunks],
            columns=["start", "body", "hashes", "recorded_at"],
        )


async def insert_refill(
    conn: Connection, number: int, chunks: Sequence[tuple[Chunk, datetime | None]], indexed: Indexed
) -> None:
    """Writes entries that were pruned into their partition again, each chunk with the time of its last entry."""
    await _insert_chunks(conn, number, chunks)
    await _copy(conn, f"events_{number}", EVENT_COLUMNS, indexed.rows)
    await _copy(conn, f"mentions_{number}", MENTION_COLUMNS, indexed.mentions)


async def _extend_partition(conn: Connection, number: int, times: Sequence[int], recorded_at: datetime | None) -> bool:
    """Brings a partition's times up to date, and says whether there is that partition."""
    return bool(
        await conn.fetchval(
            """UPDATE partitions
               SET first_time = least(first_time, timestamptz '2000-01-01Z' + $2 * interval '1 microsecond'),
                   last_time = greatest(last_time, timestamptz '2000-01-01Z' + $3 * interval '1 microsecond'),
                   first_recorded = coalesce(first_recorded, $4), last_recorded = $4
               WHERE number = $1 RETURNING true""",
            number,
            min(times),
            max(times),
            recorded_at,
        )
    )


async def _copy(conn: Connection, table: str, columns: Sequence[str], rows: Sequence[bytes]) -> None:
    if body := b"".join(rows):
        source = BytesIO(COPY_HEADER + body + COPY_TRAILER)
        await conn.copy_to_table(table, source=source, columns=columns, format="binary")


async def _insert_subtrees(conn: Connection, subtrees: Sequence[Subtree]) -> None:
    if subtrees:
        await conn.execute(
            """INSERT INTO subtrees (level, number, hash)
               SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])""",
            [subtree.level for subtree in subtrees],
            [subtree.number for subtree in subtrees],
            [subtree.hash for subtree in subtrees],
        )


async def count_days(conn: Connection, counts: Mapping[tuple[int, int, int], int]) -> None:
    """Adds to the counts of events by day, site and type. The caller holds the head's lock."""
    await conn.execute(
        """INSERT INTO days (day, site, type, count)
           SELECT date '2000-01-01' + day, site, type, count
           FROM unnest($1::int[], $2::smallint[], $3::smallint[], $4::bigint[]) AS fresh(day, site, type, count)
           ON CONFLICT (site, type, day) DO UPDATE SET count = days.count + excluded.count""",
        *map(list, zip(*counts, strict=True)),
        list(counts.values()),
    )


async def select_numbers(conn: Connection) -> tuple[dict[str, int], dict[str, int]]:
    """The numbers that stand for sites and for types in the index."""
    sites = await conn.fetch("SELECT site_id, number FROM sites")
    types = await conn.fetch("SELECT type, number FROM types")
    return dict(map(tuple, sites)), dict(map(tuple, types))


async def select_sealed_size(conn: Connection) -> int:
    """The size of the log up to its last manifest."""
    size: int = await conn.fetchval("SELECT coalesce(max(size), 0) FROM manifests")
    return size


async def select_subtrees(conn: Connection, level: int, start: int, end: int) -> bytes:
    """The hashes of complete subtrees from number ``start`` up to ``end``, side by side. Raises Damaged."""
    rows = await conn.fetch(
        "SELECT hash FROM subtrees WHERE level = $1 AND number >= $2 AND number < $3 ORDER BY number", level, start, end
    )
    if len(rows) != end - start:
        raise Damaged(f"of the subtrees {start} to {end - 1} of level {level}, {end - start - len(rows)} are missing")
    return b"".join([row["hash"] for row in rows])


async def select_tiles(conn: Connection, tiles: Collection[Tile]) -> dict[Tile, bytes]:
    """The hashes of each tile, however many there are in two queries. Raises Damaged where some are missing."""
    leaves = sorted({tile.number for tile in tiles if tile.level == 0})
    above = sorted({(tile.level, tile.number) for tile in tiles if tile.level > 0})
    hashes = await _select_leaf_tiles(conn, leaves) if leaves else {}
    if above:
        hashes |= await _select_tiles_above(conn, above)
    return StoredTiles(hashes).pick(tiles)


async def select_tiles_of_proofs(conn: Connection, indices: Collection[int], size: int | None) -> StoredTiles:
    """The tiles that proofs from these leaves to the root of ``size`` entries are made of, in one query.

    Without a size, of the newest checkpoint's tree. The query sees one moment; it needs no transaction.
    """
    row = await conn.fetchrow("SELECT * FROM tiles_of_proofs($1, $2)", list(indices), size)
    assert row is not None  # noqa: S101 -- a function that returns no set has a row
    published, starts, leaves, levels, numbers, tiles = row
    above = dict(zip(zip(levels, numbers, strict=True), tiles, strict=True))
    return StoredTiles(join_chunks(dict(zip(starts, leaves, strict=True))) | above, published)


async def _select_leaf_tiles(conn: Connection, numbers: Sequence[int]) -> dict[tuple[int, int], bytes]:
    rows = await conn.fetch(
        """SELECT number, (
               SELECT string_agg(hashes, '' ORDER BY start) FROM (
                   SELECT start, hashes FROM chunks WHERE start >= first AND start < first + $2
                   UNION SELECT start, hashes FROM leaf_hashes WHERE start >= first AND start < first + $2
                   UNION SELECT size - size % $3, tail_hashes FROM head
                         WHERE size - size % $3 >= first AND size - size % $3 < first + $2) here) AS hashes
           FROM unnest($1::bigint[]) AS number, LATERAL (SELECT number * $2) AS place(first)""",
        numbers,
        TILE,
        CHUNK,
    )
    return {(0, row["number"]): row["hashes"] or b"" for row in rows}


async def _select_tiles_above(conn: Connection, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    rows = await conn.fetch(
        """SELECT wanted.level, wanted.number, (
               SELECT string_agg(s.hash, '' ORDER BY s.number) FROM subtrees s WHERE s.level = wanted.level
               AND s.number >= wanted.number * $3 AND s.number < (wanted.number + 1) * $3) AS hashes
           FROM unnest($1::smallint[], $2::bigint[]) AS wanted(level, number)""",
        [level for level, _ in places],
        [number for _, number in places],
        TILE,
    )
    return {(row["level"], row["number"]): row["hashes"] or b"" for row in rows}


async def select_present(conn: Connection, indices: Collection[int]) -> dict[int, bytes]:
    """The bytes of each entry of ``indices`` that is here. Raises Damaged where one can't be read."""
    rows = await conn.fetch(
        """SELECT start, body FROM chunks WHERE start = ANY($1::bigint[])
           UNION ALL SELECT size - size % $2, tail FROM head WHERE size - size % $2 = ANY($1::bigint[])""",
        list({index - index % CHUNK for index in indices}),
        CHUNK,
    )
    return pick_entries(indices, [(row["start"], row["body"]) for row in rows])


async def select_entries(conn: Connection, indices: Collection[int]) -> dict[int, bytes]:
    """The bytes of each entry of ``indices``. Raises Gone for one that was pruned, Damaged where one can't be read."""
    found = await select_present(conn, indices)
    if len(found) < len(indices):
        await check_pruned(conn, min(index for index in indices if index not in found))
        check_present(indices, found)
    return {index: found[index] for index in indices}


async def select_alike(conn: Connection, event: Envelope) -> list[int]:
    """Which entries have the event's subject, time and correlation id, or digests like theirs."""
    key = correlation_digest(event.correlationid), digest(event.subject), event.time
    rows = await conn.fetch("SELECT index FROM events WHERE correlation = $1 AND subject = $2 AND time = $3", *key)
    return [row["index"] for row in rows]


async def select_pruned(conn: Connection, start: datetime | None, end: datetime | None) -> list[Pruned]:
    """What was pruned of events' times and is not restored, by rising index; whole partitions."""
    rows = await conn.fetch(
        """SELECT number * partition_entries, (number + 1) * partition_entries, pruned_at, location
           FROM partitions CROSS JOIN head
           WHERE pruned_at IS NOT NULL AND last_time >= coalesce($1, '-infinity'::timestamptz)
             AND first_time < coalesce($2, 'infinity'::timestamptz) ORDER BY number""",
        start,
        end,
    )
    return [Pruned(*row) for row in rows]


async def check_pruned(conn: Connection, index: int) -> None:
    """Raises Gone where the entry was pruned."""
    row = await conn.fetchrow(
        """SELECT location, pruned_at FROM partitions
           WHERE number = $1 / (SELECT partition_entries FROM head) AND pruned_at IS NOT NULL""",
        index,
    )
    if row is not None:
        location, pruned_at = row
        raise Gone(
            f"entry {index} was pruned at {pruned_at.isoformat()}; it is in the archive {location}",
            location=location,
        )
