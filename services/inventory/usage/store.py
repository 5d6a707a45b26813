"""SQL of usage."""

from collections.abc import Mapping
from datetime import datetime

from services.inventory.usage.domain import COUNTERS, Usage
from shared.database import Connection


async def upsert_usage(
    conn: Connection, asset_id: str, site_id: str, counters: Mapping[str, float], at: datetime, told_by: str
) -> int:
    """Keeps values of an asset's counters unless newer ones are kept; returns how many were news.

    It is none for an asset that the site does not have.
    """
    kept = await conn.execute(
        """INSERT INTO usage (asset_id, counter, value, at, told_by)
           SELECT a.id, told.counter, told.value, $5, $6
           FROM assets a, unnest($3::text[], $4::float8[]) AS told (counter, value)
           WHERE a.id = $1 AND a.site_id = $2
           ON CONFLICT (asset_id, counter) DO UPDATE
           SET value = excluded.value, at = excluded.at, told_by = excluded.told_by WHERE usage.at < excluded.at""",
        asset_id,
        site_id,
        list(counters),
        list(counters.values()),
        at,
        told_by,
    )
    return int(kept.rpartition(" ")[2])


async def select_usage(conn: Connection, asset_id: str) -> list[Usage]:
    """The counters of an asset, by name."""
    rows = await conn.fetch("SELECT * FROM usage WHERE asset_id = $1 ORDER BY counter", asset_id)
    return [Usage(unit=COUNTERS[row["counter"]], **dict(row)) for row in rows]
