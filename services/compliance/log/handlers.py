"""Reading the log: entries and tiles, wherever they lie."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from services.compliance.log import store
from services.compliance.log.append import refill
from services.compliance.log.bundle import join_entries
from services.compliance.log.domain import Damaged, Pruned, StoredTiles
from services.compliance.log.entry import NotAnEntry
from services.compliance.log.tiles import Bundle, Tile
from shared.database import Connection

Days = Mapping[tuple[int, int, int], int]
"""How many events have their time on a day, by day, site and type."""


async def read_entries(conn: Connection, indices: Collection[int]) -> dict[int, bytes]:
    """The bytes of each entry. Raises Damaged where one can't be read."""
    return await store.select_entries(conn, indices)


async def read_bundle(conn: Connection, bundle: Bundle) -> bytes:
    """The entries of a bundle as C2SP tlog-tiles lays them out. Raises Damaged where one can't be read."""
    entries = await store.select_entries(conn, range(bundle.start, bundle.start + bundle.width))
    return join_entries(entries.values())


async def read_entry(conn: Connection, index: int) -> bytes | None:
    """The bytes of one entry; None where the log has not got so far. Raises Gone for one that was pruned."""
    found = await store.select_present(conn, [index])
    if not found:
        await store.check_pruned(conn, index)
    return found.get(index)


async def read_pruned(conn: Connection, start: datetime | None = None, end: datetime | None = None) -> list[Pruned]:
    """What is only in an archive any more, by rising index.

    Of events from ``start`` on, before ``end``; whole partitions, so there may have been none of that time.
    """
    return await store.select_pruned(conn, start, end)


async def read_tiles(conn: Connection, tiles: Collection[Tile]) -> dict[Tile, bytes]:
    """The hashes of each tile. Raises Damaged where some are missing. The log must have grown that far."""
    return await store.select_tiles(conn, tiles)


async def read_proof_tiles(conn: Connection, indices: Collection[int], size: int | None = None) -> StoredTiles:
    """What inclusion proofs of these entries in the tree of ``size``, or of the newest checkpoint, are made of.

    For a consistency proof from an older size, its last entry is the one to name. It takes one round trip, and no
    transaction; for many entries far from each other, ``read_tiles`` costs less.
    """
    return await store.select_tiles_of_proofs(conn, indices, size)


async def restore_entries(conn: Connection, partition: int, start: int, entries: Sequence[bytes]) -> Days:
    """Puts whole chunks of a pruned partition back, with their index. Raises Damaged where they are no entries.

    What it returns is to be added up and given to ``count_restored``, which ends the restoration.
    """
    sites, types = await store.select_numbers(conn)
    try:
        chunks, indexed = refill(start, entries, sites, types)
    except (KeyError, ValueError, NotAnEntry) as exc:
        raise Damaged(f"the entries {start} to {start + len(entries) - 1} can't be restored: {exc!r}") from exc
    await store.insert_refill(conn, partition, chunks, indexed)
    return indexed.days


async def count_restored(conn: Connection, days: Days) -> None:
    """Counts restored entries by their days. No batch is appended until this transaction ends."""
    await store.lock_epoch(conn)
    await store.count_days(conn, days)
