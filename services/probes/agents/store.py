"""SQL of agents."""

from collections.abc import Collection
from datetime import datetime

from services.probes.agents.domain import Agent, Delivery
from shared.database import Connection


async def upsert_agent(
    conn: Connection, name: str, sites: Collection[str], seen_at: datetime, offset_ms: float, told: Delivery
) -> datetime | None:
    """Remembers how an agent stood when it was last heard of; returns since when it has had more to bring, if so."""
    behind_since: datetime | None = await conn.fetchval(
        """INSERT INTO agents AS old
               (name, site_ids, last_seen, clock_offset_ms, waiting, lost, quarantined, behind_since)
           VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $5::bigint > 0 THEN $3::timestamptz END)
           ON CONFLICT (name) DO UPDATE
               SET site_ids = $2, last_seen = $3, clock_offset_ms = $4, waiting = $5, lost = $6, quarantined = $7,
                   behind_since = CASE WHEN $5::bigint > 0 THEN coalesce(old.behind_since, $3::timestamptz) END
           RETURNING behind_since""",
        name,
        sorted(sites),
        seen_at,
        offset_ms,
        told.waiting,
        told.lost,
        told.quarantined,
    )
    return behind_since


async def has_agent(conn: Connection, name: str, sites: Collection[str] | None) -> bool:
    """Whether an agent of that name was heard of with a key of one of the sites; None stands for all."""
    found = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM agents WHERE name = $1 AND ($2::text[] IS NULL OR site_ids && $2))",
        name,
        None if sites is None else list(sites),
    )
    return bool(found)


async def select_agents(
    conn: Connection, visible: Collection[str] | None, after: str | None, limit: int | None
) -> list[Agent]:
    """Agents by name: those that have probes at the sites, and those that were heard of with a key of theirs."""
    rows = await conn.fetch(
        """WITH assigned AS (
               SELECT vantage AS name, array_agg(DISTINCT site_id ORDER BY site_id) AS site_ids, count(*) AS probes
               FROM probes WHERE vantage IS NOT NULL AND ($1::text[] IS NULL OR site_id = ANY($1)) GROUP BY vantage)
           SELECT name, coalesce(probes, 0) AS probes, last_seen, clock_offset_ms, waiting, lost, quarantined,
                  ARRAY(SELECT DISTINCT site FROM unnest(assigned.site_ids || agents.site_ids) AS site
                        WHERE $1::text[] IS NULL OR site = ANY($1) ORDER BY site) AS site_ids
           FROM assigned FULL JOIN agents USING (name)
           WHERE (assigned.name IS NOT NULL OR $1::text[] IS NULL OR agents.site_ids && $1)
             AND ($2::text IS NULL OR name > $2)
           ORDER BY name LIMIT $3""",
        None if visible is None else list(visible),
        after,
        limit,
    )
    return [Agent.model_validate(dict(row)) for row in rows]
