"""SQL of runs. Due times and leases go by the database's clock, which all replicas share."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from services.probes.alerts.limits import Limits
from services.probes.runs.domain import Cadence, Due, Ended, Known, Probe, Run
from shared.database import Connection

CHANNEL = "steward_probes"
SLACK = timedelta(seconds=60)
SILENT = "5s"

ASKED = ("kind", "settings", "interval", "retry_interval", "timeout", "vantage")
IS_ANOTHER = "({}) IS DISTINCT FROM ({})".format(
    ", ".join(f"old.{column}" for column in ASKED), ", ".join(f"excluded.{column}" for column in ASKED)
)

FAR_DUE = """far.next_due + far.interval * greatest(0, ceil(
    extract(epoch FROM {now} - far.timeout - far.next_due) / extract(epoch FROM far.interval)))"""
"""When an agent makes a run of the probe ``far``, or began one that may not have ended: its times are known by plan."""


async def select_systems_under_load(conn: Connection) -> list[str]:
    """The systems at which a heavy run is under way, or should be by now at an agent."""
    rows = await conn.fetch(
        f"""SELECT heavy_at FROM probes WHERE heavy_at IS NOT NULL AND leased_until > clock_timestamp()
            UNION
            SELECT heavy_at FROM probes AS far
            WHERE vantage IS NOT NULL AND heavy_at IS NOT NULL
              AND {FAR_DUE.format(now="clock_timestamp()")} <= clock_timestamp()"""  # noqa: S608 -- our own constant
    )
    return [row["heavy_at"] for row in rows]


async def upsert_probe(conn: Connection, probe: Probe) -> None:
    """Keeps a probe; a new one is due at once. Tells the runners.

    So is one that asks another thing than before, or at another pace: a run of the old one that is under way can no
    longer store its result. A heavy one is then due when that run must have ended.
    """
    row = _row(probe)
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    changes = ", ".join(f"{column} = excluded.{column}" for column in row)
    await conn.execute(
        f"""INSERT INTO probes AS old ({", ".join(row)}, next_due) VALUES ({places}, now())
            ON CONFLICT (id) DO UPDATE SET {changes},
                next_due = CASE WHEN {IS_ANOTHER} THEN now() ELSE old.next_due END,
                lease = CASE WHEN {IS_ANOTHER} THEN NULL ELSE old.lease END,
                leased_until = CASE WHEN {IS_ANOTHER} AND NOT old.is_heavy THEN NULL ELSE old.leased_until END
        """,  # noqa: S608 -- the names are our own dataclass's
        *row.values(),
    )
    await tell_runners(conn)


async def tell_runners(conn: Connection) -> None:
    """Has the runners look for what is due, once this is committed."""
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)


async def update_cadence(conn: Connection, usual: Cadence) -> None:
    """Sets the cadence of every probe that no check asks for."""
    await conn.execute(
        """UPDATE probes SET interval = $1, retry_interval = $2, timeout = $3
           WHERE check_name IS NULL AND (interval, retry_interval, timeout) IS DISTINCT FROM ($1, $2, $3)""",
        usual.interval,
        usual.retry_interval,
        usual.timeout,
    )


async def align_probes(conn: Connection) -> None:
    """Frees, and makes due, what is due or leased for longer than can be: the clock was set back, the interval cut."""
    await conn.execute(
        """UPDATE probes SET next_due = least(next_due, now()), lease = NULL, leased_until = NULL
           WHERE next_due > now() + interval + $1 OR leased_until > now() + timeout + $1""",
        SLACK,
    )


async def delete_probe(conn: Connection, probe_id: str) -> Probe | None:
    """Takes a probe away and returns it; a run that is under way can no longer store its result."""
    row = await conn.fetchrow("DELETE FROM probes WHERE id = $1 RETURNING *", probe_id)
    return None if row is None else _probe(row)


async def end_if_silent(conn: Connection) -> None:
    """Has the database end the transaction where its replica is stopped in it: others wait for its locks."""
    await conn.execute("SELECT set_config('idle_in_transaction_session_timeout', $1, true)", SILENT)


async def wait_for_turn(conn: Connection) -> datetime:
    """Waits until no other transaction is claiming, keeps the turn until this one ends, and returns the time."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('probes claims', 0))")
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return now


async def select_free(conn: Connection, now: datetime, until: datetime, most_at_site: int, limit: int) -> list[Due]:
    """Probes that are due before ``until``, not leased and within all caps, the earliest first; locked.

    Together with what is leased there is at most one of a class at a target, one heavy one at a system, items of
    suites included, and ``most_at_site`` at a site. Those of vantages are left out, and the times of their heavy ones
    spared: as long as they take, and as long as ours takes before them, where that leaves any time at all.
    """
    rows = await conn.fetch(
        f"""WITH busy AS MATERIALIZED (
               SELECT subject, class, heavy_at, site_id FROM probes WHERE leased_until > $1
               UNION ALL
               SELECT NULL, NULL, run.system_id, NULL
               FROM suite_items AS item JOIN suite_runs AS run ON run.id = item.run_id
               WHERE item.is_heavy AND item.state = 'leased' AND item.leased_until > $1),
           due AS (
               SELECT id, subject, class, heavy_at, site_id, next_due FROM probes AS ours
               WHERE vantage IS NULL AND next_due <= $2 AND (leased_until IS NULL OR leased_until <= $1)
                 AND (heavy_at IS NULL OR NOT EXISTS (
                     SELECT FROM probes AS far
                     WHERE far.vantage IS NOT NULL AND far.heavy_at = ours.heavy_at
                       AND {FAR_DUE.format(now="$1")} <= $2 + CASE
                           WHEN far.interval > far.timeout + 2 * ours.timeout THEN ours.timeout ELSE '0' END))),
           first_of_class AS (
               SELECT DISTINCT ON (subject, class) * FROM due
               WHERE NOT EXISTS (SELECT FROM busy WHERE busy.subject = due.subject AND busy.class = due.class)
               ORDER BY subject, class, next_due, id),
           first_of_system AS (
               SELECT DISTINCT ON (coalesce(heavy_at, id)) * FROM first_of_class AS due
               WHERE NOT EXISTS (SELECT FROM busy WHERE busy.heavy_at = due.heavy_at)
               ORDER BY coalesce(heavy_at, id), next_due, id),
           taken AS (SELECT site_id, count(*) AS runs FROM busy GROUP BY site_id),
           queued AS (
               SELECT id, coalesce(runs, 0) + row_number() OVER (PARTITION BY site_id ORDER BY next_due, id) AS place
               FROM first_of_system LEFT JOIN taken USING (site_id))
           SELECT probes.* FROM probes JOIN queued USING (id) WHERE place <= $3
           ORDER BY next_due LIMIT $4 FOR UPDATE OF probes SKIP LOCKED""",  # noqa: S608 -- our own constant
        now,
        until,
        most_at_site,
        limit,
    )
    return [Due(_probe(row), row["next_due"]) for row in rows]


async def lease(conn: Connection, runs: Sequence[Run], now: datetime, spare: timedelta) -> None:
    """Marks runs as under way, each for its probe's timeout and a spare time from its start on."""
    await conn.execute(
        """UPDATE probes SET next_due = run.due_at, lease = run.lease,
                  leased_until = greatest(run.due_at, $4) + timeout + $5
           FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS run (id, due_at, lease)
           WHERE probes.id = run.id""",
        [run.probe.id for run in runs],
        [run.due_at for run in runs],
        [run.lease for run in runs],
        now,
        spare,
    )


async def select_seconds_until_due(conn: Connection) -> float | None:
    """Seconds until the next probe is due, or may be due again or free after a run; None when there is no probe."""
    seconds: float | None = await conn.fetchval(
        """SELECT extract(epoch FROM least(
               (SELECT min(next_due) FROM probes WHERE vantage IS NULL AND leased_until IS NULL),
               (SELECT min(least(greatest(next_due, leased_until), next_due + least(interval, retry_interval)))
                FROM probes
                WHERE vantage IS NULL AND leased_until IS NOT NULL)) - clock_timestamp())::float8"""
    )
    return seconds


async def ask_soon(conn: Connection, probe_ids: Collection[str]) -> None:
    """Makes these probes due now, but for those that are under way. Tells the runners."""
    await conn.execute(
        """UPDATE probes SET next_due = now()
           WHERE id = ANY($1) AND vantage IS NULL AND leased_until IS NULL AND next_due > now()""",
        list(probe_ids),
    )
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)


async def select_leases(conn: Connection, probe_ids: Collection[str]) -> dict[str, str | None]:
    """The leases of these probes, locked."""
    rows = await conn.fetch("SELECT id, lease FROM probes WHERE id = ANY($1) ORDER BY id FOR UPDATE", list(probe_ids))
    return {row["id"]: row["lease"] for row in rows}


async def end_leases(conn: Connection, ended: Sequence[Ended]) -> None:
    """Makes the probes free again, each with its last result and due at its next time."""
    await conn.execute(
        """UPDATE probes SET next_due = run.next_due, lease = NULL, leased_until = NULL, last_due = run.due_at,
                  last_result = run.result_id
           FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[])
               AS run (id, due_at, next_due, result_id)
           WHERE probes.id = run.id""",
        [one.probe.id for one in ended],
        [one.due_at for one in ended],
        [one.next_due for one in ended],
        [one.result_id for one in ended],
    )


async def release_leases(conn: Connection, leases: Collection[str]) -> None:
    """Gives up runs that were claimed and not finished: another replica makes them at once. Tells the runners."""
    await conn.execute("UPDATE probes SET lease = NULL, leased_until = NULL WHERE lease = ANY($1)", list(leases))
    await tell_runners(conn)


async def select_vantage(conn: Connection, vantage: str) -> list[Probe]:
    """The probes that are left to an agent, by id."""
    rows = await conn.fetch("SELECT * FROM probes WHERE vantage = $1 ORDER BY id", vantage)
    return [_probe(row) for row in rows]


async def select_known(conn: Connection, vantage: str, probe_ids: Collection[str]) -> list[Known]:
    """Those of these probes that are left to an agent, locked."""
    rows = await conn.fetch(
        "SELECT * FROM probes WHERE vantage = $1 AND id = ANY($2) ORDER BY id FOR UPDATE", vantage, list(probe_ids)
    )
    return [Known(_probe(row), row["last_due"]) for row in rows]


def _row(probe: Probe) -> dict[str, Any]:
    limits = {name: limits.model_dump() for name, limits in probe.limits.items()}
    return vars(probe) | {"settings": dict(probe.settings), "limits": limits}


def _probe(row: asyncpg.Record) -> Probe:
    kept = {name: row[name] for name in Probe.__dataclass_fields__}
    limits = {name: Limits(**limits) for name, limits in row["limits"].items()}
    return Probe(**kept | {"depends_on": tuple(row["depends_on"]), "limits": limits})
