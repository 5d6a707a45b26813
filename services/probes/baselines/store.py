"""SQL of what is usual for each measure, and of the time zones in which hours are counted."""

from collections.abc import Collection, Mapping

import asyncpg

from services.probes.baselines.domain import ALL_HOURS, Baseline, Key, Samples, usual_of
from services.probes.baselines.records import Learned
from services.probes.runs.domain import EPOCH, TICK
from shared.database import Connection, found
from shared.events.inventory import SiteChanged
from shared.listing import fetch_page

LEARNED = f"""SELECT p.id || '/' || b.measure AS id, p.id AS probe_id, b.measure,
       coalesce(p.check_name, p.kind) AS "check", p.subject, p.name AS asset_name, p.site_id, p.system_id,
       b.values, b.learned_at,
       (SELECT count(*) FROM baselines AS hour WHERE hour.probe_id = p.id AND hour.measure = b.measure
        AND hour.slot <> {ALL_HOURS}) AS hours
FROM baselines AS b JOIN probes AS p ON p.id = b.probe_id WHERE b.slot = {ALL_HOURS}"""  # noqa: S608 -- a constant
"""What was learned of all hours together: each value that is learned is learned there, too."""


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
    known: dict[Key, dict[int, Samples]] = {}
    for row in rows:
        samples = Samples(tuple(row["values"]), row["learned_at"])
        known.setdefault((row["probe_id"], row["measure"]), {})[row["slot"]] = samples
    return dict(known)


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


async def lock_probe(conn: Connection, probe_id: str) -> None:
    """Waits for every other transaction that is at this probe."""
    await conn.execute("SELECT FROM probes WHERE id = $1 FOR UPDATE", probe_id)


async def select_learned(
    conn: Connection, visible: Collection[str] | None, subject: str | None, after: str | None, limit: int
) -> list[Learned]:
    """What was learned, by id behind ``after``; ``visible`` None stands for all sites."""
    rows = await fetch_page(conn, f"({LEARNED}) AS it", visible, {"subject": subject}, after, limit)
    return [_learned(row) for row in rows]


async def select_learned_of(conn: Connection, key: Key) -> Learned:
    """What was learned of one measure. Raises NotFound."""
    row = await conn.fetchrow(
        f"SELECT * FROM ({LEARNED}) AS it WHERE probe_id = $1 AND measure = $2",  # noqa: S608 -- our own text
        *key,
    )
    return _learned(found(row, f"baseline {key[0]}/{key[1]}"))


async def delete_baseline(conn: Connection, key: Key) -> None:
    """Forgets what is usual for a measure."""
    await conn.execute("DELETE FROM baselines WHERE probe_id = $1 AND measure = $2", *key)


def _learned(row: asyncpg.Record) -> Learned:
    usual = usual_of(row["values"])
    told = {name: row[name] for name in row.keys() if name in Learned.model_fields}  # noqa: SIM118 -- a Record's own
    return Learned.model_validate(
        told
        | {
            "version": (row["learned_at"] - EPOCH) // TICK,
            "values": len(row["values"]),
            "median": usual.median,
            "mad": usual.mad,
        }
    )


async def delete_baselines(conn: Connection, probe_id: str) -> None:
    """Forgets what is usual for a probe's measures."""
    await conn.execute("DELETE FROM baselines WHERE probe_id = $1", probe_id)
