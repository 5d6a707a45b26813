"""SQL of what is usual for each measure, and of the time zones in which hours are counted."""

from collections.abc import Collection, Mapping

from services.probes.baselines.domain import Baseline, Key, Samples
from shared.database import Connection
from shared.events.inventory import SiteChanged


async def upsert_zone(conn: Connection, site_id: str, site: SiteChanged) -> None:
    """Keeps a site's time zone, unless a later version is known."""
    await conn.execute(
        """INSERT INTO site_zones (site_id, time_zone, version) VALUES ($1, $2, $3)
           ON CONFLICT (site_id) DO UPDATE SET time_zone = $2, version = $3 WHERE site_zones.version < $3""",
        site_id,
        site.time_zone,
        site.version,
    )


async def select_zones(conn: Connection, sites: Collection[str]) -> dict[str, str]:
    """The time zones of those sites that are known."""
    rows = await conn.fetch("SELECT site_id, time_zone FROM site_zones WHERE site_id = ANY($1)", list(sites))
    return {row["site_id"]: row["time_zone"] for row in rows}


async def select_baselines(conn: Connection, slots: Mapping[Key, Collection[int]]) -> dict[Key, Baseline]:
    """What is kept of these slots of these measures."""
    wanted = [(*key, slot) for key, numbers in slots.items() for slot in numbers]
    rows = await conn.fetch(
        """SELECT baselines.* FROM baselines
           JOIN unnest($1::text[], $2::text[], $3::smallint[]) AS wanted (probe_id, measure, slot)
               USING (probe_id, measure, slot)""",
        *(list(column) for column in zip(*wanted, strict=True)),
    )
    found: dict[Key, dict[int, Samples]] = {}
    for row in rows:
        samples = Samples(tuple(row["values"]), row["learned_at"])
        found.setdefault((row["probe_id"], row["measure"]), {})[row["slot"]] = samples
    return dict(found)


async def upsert_baselines(conn: Connection, learned: Mapping[Key, Mapping[int, Samples]]) -> None:
    """Keeps what slots have learned."""
    await conn.executemany(
        """INSERT INTO baselines (probe_id, measure, slot, values, learned_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (probe_id, measure, slot) DO UPDATE SET values = $4, learned_at = $5""",
        [
            (*key, slot, list(samples.values), samples.learned_at)
            for key, slots in learned.items()
            for slot, samples in slots.items()
        ],
    )


async def delete_baselines(conn: Connection, probe_id: str) -> None:
    """Forgets what is usual for a probe's measures."""
    await conn.execute("DELETE FROM baselines WHERE probe_id = $1", probe_id)
