"""Reading the log: entries and tiles, wherever they lie."""

from collections.abc import Collection

from services.compliance.log import store
from services.compliance.log.tiles import Tile
from services.compliance.log.tree import TILE
from shared.database import Connection


async def read_entries(conn: Connection, indices: Collection[int]) -> dict[int, bytes]:
    """The bytes of each entry. Raises Damaged where one can't be read."""
    return await store.select_entries(conn, indices)


async def read_tiles(conn: Connection, tiles: Collection[Tile]) -> dict[Tile, bytes]:
    """The hashes of each tile. Raises Damaged where some are missing. The log must have grown that far."""
    return {tile: await _read_tile(conn, tile) for tile in tiles}


async def _read_tile(conn: Connection, tile: Tile) -> bytes:
    start = tile.number * TILE
    if tile.level == 0:
        return await store.select_leaf_hashes(conn, start, start + tile.width)
    return await store.select_subtrees(conn, tile.level, start, start + tile.width)
