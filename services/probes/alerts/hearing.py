"""SQL of what is known around alerts: windows, sites' time zones, what is usual, and when each probe was last heard."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.probes.alerts.baselines import Baseline, Samples
from services.probes.alerts.judging import Key
from services.probes.alerts.records import About
from services.probes.alerts.upstream import NO_ANSWER, Reach
from services.probes.alerts.windows import Window
from shared.database import Connection
from shared.events.inventory import SiteChanged
from shared.events.maintenance import Window as WindowEvent


async def upsert_window(conn: Connection, event: WindowEvent) -> None:
    """Keeps a window's times and scope, unless a later revision is known."""
    await conn.execute(
        """INSERT INTO windows (id, revision, systems, starts_at, ends_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (id) DO UPDATE SET revision = $2, systems = $3, starts_at = $4, ends_at = $5
               WHERE windows.revision < $2""",
        event.window_id,
        event.revision,
        [system.id for system in event.systems],
        event.starts_at,
        event.ends_at,
    )


async def mark_window(
    conn: Connection,
    window_id: str,
    *,
    started_at: datetime | None = None,
    ended_at: datetime | None = None,
    is_cancelled: bool = False,
) -> None:
    """Remembers what has happened to a window; that stays, whichever of its events arrives last."""
    await conn.execute(
        """UPDATE windows SET started_at = coalesce(started_at, $2), ended_at = coalesce(ended_at, $3),
                              is_cancelled = is_cancelled OR $4 WHERE id = $1""",
        window_id,
        started_at,
        ended_at,
        is_cancelled,
    )


async def select_windows(conn: Connection, after: datetime) -> list[Window]:
    """The windows that are planned to end after that instant."""
    rows = await conn.fetch(
        """SELECT id, systems, starts_at, ends_at, started_at, ended_at, is_cancelled FROM windows
           WHERE ends_at > $1 AND NOT is_cancelled ORDER BY id""",
        after,
    )
    return [Window(**{**row, "systems": frozenset(row["systems"])}) for row in rows]


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


async def select_baselines(conn: Connection, slots: Mapping[Key, Sequence[int]]) -> dict[Key, Baseline]:
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


async def forget_baseline(conn: Connection, probe_id: str, measure: str) -> None:
    """Forgets what is usual for a measure."""
    await conn.execute("DELETE FROM baselines WHERE probe_id = $1 AND measure = $2", probe_id, measure)


async def upsert_heard(conn: Connection, heard: Mapping[str, str]) -> None:
    """Remembers that these probes were heard now, each from its vantage."""
    await conn.execute(
        """INSERT INTO heard (probe_id, heard_at, heard_from)
           SELECT id, clock_timestamp(), vantage FROM unnest($1::text[], $2::text[]) AS it (id, vantage)
           ON CONFLICT (probe_id) DO UPDATE SET heard_at = excluded.heard_at, heard_from = excluded.heard_from""",
        list(heard),
        list(heard.values()),
    )


async def insert_unheard(conn: Connection) -> None:
    """Lets the time of probes begin that were never heard."""
    await conn.execute(
        """INSERT INTO heard (probe_id, heard_at) SELECT id, now() FROM probes
           WHERE NOT EXISTS (SELECT FROM heard WHERE heard.probe_id = probes.id) ON CONFLICT DO NOTHING"""
    )


async def select_reach(conn: Connection, vantage: str, since: datetime | None, without: Collection[str]) -> Reach:
    """How many addresses the vantage asked since then, or in each probe's last interval, and how many don't answer.

    Leaves out the probes ``without``.
    """
    row = await conn.fetchrow(
        """SELECT count(*) AS asked, count(*) FILTER (WHERE is_mute) AS mute FROM (
               SELECT bool_and(coalesce(state.failure = ANY($4) AND state.phase <> 'ok', false)) AS is_mute
               FROM heard JOIN probes ON probes.id = heard.probe_id
               LEFT JOIN alert_states AS state ON state.probe_id = probes.id AND state.measure = ''
               WHERE heard_from = $1 AND heard_at >= coalesce($2, now() - interval) AND probes.id <> ALL($3)
               GROUP BY coalesce(settings ->> 'host', subject)) AS addresses""",
        vantage,
        since,
        list(without),
        list(NO_ANSWER),
    )
    return Reach(row["asked"], row["mute"]) if row else Reach(0, 0)


@dataclass(frozen=True, slots=True)
class Watched:
    """A check, and what decides whether its alert is kept back. ``vantage`` is the agent that makes its probe."""

    about: About
    vantage: str | None
    depends_on: tuple[str, ...]
    suppressed_by: str | None = None

    @property
    def key(self) -> Key:
        """The check's."""
        return (self.about.probe_id, self.about.measure)


async def lock_lost(conn: Connection, watching_since: datetime, intervals: int) -> list[Watched]:
    """Probes that were not heard for so many intervals and are not known to be lost; none that is locked."""
    rows = await conn.fetch(
        """SELECT probes.*, '' AS measure, NULL AS suppressed_by FROM probes JOIN heard ON heard.probe_id = probes.id
           WHERE greatest(heard_at, $1) < now() - $2 * interval AND NOT EXISTS (
               SELECT FROM alert_states WHERE probe_id = probes.id AND measure = '' AND phase = 'unknown')
           ORDER BY id FOR UPDATE OF probes SKIP LOCKED""",
        watching_since,
        intervals,
    )
    return [_watched(row) for row in rows]


async def is_silent(conn: Connection, vantage: str) -> bool:
    """Whether an agent has probes, and all of them are unknown."""
    return bool(
        await conn.fetchval(
            """SELECT bool_and(coalesce(phase = 'unknown', false)) FROM probes
               LEFT JOIN alert_states ON probe_id = probes.id AND measure = '' WHERE vantage = $1""",
            vantage,
        )
    )


async def select_sites_of_vantage(conn: Connection, vantage: str) -> list[str]:
    """The sites whose targets the vantage asks."""
    rows = await conn.fetch(
        """SELECT DISTINCT site_id FROM probes LEFT JOIN heard ON probe_id = id
           WHERE heard_from = $1 OR vantage = $1 ORDER BY site_id""",
        vantage,
    )
    return [row["site_id"] for row in rows]


async def select_kept_back(conn: Connection) -> list[Watched]:
    """The checks whose alerts something keeps back."""
    rows = await conn.fetch(
        """SELECT probes.*, measure, suppressed_by FROM alert_states JOIN probes ON probes.id = probe_id
           WHERE phase = 'pending' AND NOT is_asked AND (is_held OR suppressed_by IS NOT NULL) ORDER BY id, measure"""
    )
    return [_watched(row) for row in rows]


async def lock_probes(conn: Connection, probe_ids: Collection[str]) -> list[str]:
    """Locks these probes, but for those that are locked already, and returns them."""
    rows = await conn.fetch(
        "SELECT id FROM probes WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED", list(probe_ids)
    )
    return [row["id"] for row in rows]


async def select_now(conn: Connection) -> datetime:
    """The database's time."""
    now: datetime = await conn.fetchval("SELECT now()")
    return now


def _watched(row: asyncpg.Record) -> Watched:
    name = row["check_name"] or row["kind"]
    about = About(
        probe_id=row["id"],
        measure=row["measure"],
        check=f"{name}:{row['measure']}" if row["measure"] else name,
        subject=row["subject"],
        asset_name=row["name"],
        site_id=row["site_id"],
        system_id=row["system_id"],
    )
    return Watched(about, row["vantage"], tuple(row["depends_on"]), row["suppressed_by"])
