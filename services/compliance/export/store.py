"""SQL of exports: where a site's entries of a time lie, and what a manifest counts."""

from datetime import datetime

from services.compliance.log.bundle import CHUNK, unpack
from shared.database import Connection


async def select_manifest_lines(conn: Connection, size: int) -> list[bytes]:
    """The lines of the manifest at the end of a log of that size, which was published."""
    return unpack(await conn.fetchval("SELECT lines FROM manifests WHERE size = $1", size)).split(b"\n")


async def scope_to(conn: Connection, site_id: str, statement_seconds: int) -> None:
    """Lets the rest of the transaction see no other site's index rows, in statements that take so long at the most."""
    await conn.execute(
        "SELECT set_config('steward.sites', $1, true), set_config('statement_timeout', $2, true)",
        site_id,
        f"{statement_seconds}s",
    )


async def select_index_at(conn: Connection, moment: datetime) -> int:
    """An index before which nothing was recorded at ``moment`` or later; at most a chunk before the first that was."""
    index: int = await conn.fetchval(
        """SELECT coalesce((SELECT start FROM chunks WHERE recorded_at >= $1 ORDER BY recorded_at, start LIMIT 1),
                           (SELECT size - size % $2 FROM head))""",
        moment,
        CHUNK,
    )
    return index


async def select_indices(conn: Connection, site_id: str, start: int, end: int) -> list[int]:
    """The indices of the site's entries from ``start`` up to ``end``."""
    rows = await conn.fetch(
        """SELECT index FROM events
           WHERE index >= $2 AND index < $3 AND site = (SELECT number FROM sites WHERE site_id = $1) ORDER BY index""",
        site_id,
        start,
        end,
    )
    return [row["index"] for row in rows]


async def select_last_index(conn: Connection, site_id: str, start: int, end: int) -> int | None:
    """The index of the site's last entry from ``start`` up to ``end``."""
    index: int | None = await conn.fetchval(
        """SELECT max(index) FROM events
           WHERE index >= $2 AND index < $3 AND site = (SELECT number FROM sites WHERE site_id = $1)""",
        site_id,
        start,
        end,
    )
    return index
