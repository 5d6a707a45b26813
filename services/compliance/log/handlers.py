"""Reading the log: entries and tiles, wherever they lie."""

from collections.abc import Collection, Sequence

from services.compliance.log import store
from services.compliance.log.append import refill
from services.compliance.log.bundle import CHUNK
from services.compliance.log.domain import Damaged
from services.compliance.log.entry import NotAnEntry
from services.compliance.log.tiles import Bundle, Tile
from shared.database import Connection


async def read_entries(conn: Connection, indices: Collection[int]) -> dict[int, bytes]:
    """The bytes of each entry. Raises Damaged where one can't be read."""
    return await store.select_entries(conn, indices)


async def read_bundle(conn: Connection, bundle: Bundle) -> bytes:
    """The entries of a bundle as C2SP tlog-tiles lays them out. Raises Damaged where one can't be read."""
    return await store.select_bundle(conn, bundle.start, bundle.start + bundle.width)


async def read_entry(conn: Connection, index: int) -> bytes | None:
    """The bytes of one entry; None where the log has not got so far. Raises Gone for one that was pruned."""
    start = index - index % CHUNK
    entries = (await store.select_chunks(conn, [start])).get(start, [])
    if index - start < len(entries):
        return entries[index - start]
    await store.check_pruned(conn, index)
    return None


async def read_tiles(conn: Connection, tiles: Collection[Tile]) -> dict[Tile, bytes]:
    """The hashes of each tile. Raises Damaged where some are missing. The log must have grown that far."""
    return await store.select_tiles(conn, tiles)


async def restore_entries(conn: Connection, partition: int, start: int, entries: Sequence[bytes]) -> None:
    """Puts whole chunks of a pruned partition back, with their index. Raises Damaged where they are no entries."""
    sites, types = await store.select_numbers(conn)
    try:
        chunks, indexed = refill(start, entries, sites, types)
    except (KeyError, ValueError, NotAnEntry) as exc:
        raise Damaged(f"the entries {start} to {start + len(entries) - 1} can't be restored: {exc!r}") from exc
    await store.insert_refill(conn, partition, chunks, indexed)
