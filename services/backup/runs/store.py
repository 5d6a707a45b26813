"""SQL of runs and of the alerts that they leave open."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.backup.runs.domain import Lease, Run
from shared.database import Connection, found
from shared.errors import Conflict

CHANNEL = "steward_backup_runs"

PLANNED_FIELDS = ("id", "set_id", "system_id", "site_id", "scope", "engine", "path", "repository", "state")
ENDED_FIELDS = (
    "state",
    "finished_at",
    "engine_version",
    "snapshot_id",
    "bytes",
    "total_bytes",
    "items",
    "encrypted",
    "output_sha256",
    "exit_code",
    "reason",
    "version",
)


@dataclass(frozen=True)
class OpenAlert:
    """An alert that was raised for a set and not yet resolved."""

    alert_id: str
    raised_at: datetime


async def insert_run(conn: Connection, run: Run, correlation_id: str, traceparent: str | None) -> None:
    """Adds a planned run and wakes the runners at commit. Raises Conflict while a run of the set is unfinished."""
    inserted = await conn.fetchval(
        """INSERT INTO runs (id, set_id, system_id, site_id, scope, engine, path, repository, state,
                             requested_by, planned_at, version, correlation_id, traceparent)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
           ON CONFLICT DO NOTHING RETURNING true""",
        *(getattr(run, name) for name in PLANNED_FIELDS),
        run.requested_by,
        run.planned_at,
        run.version,
        correlation_id,
        traceparent,
    )
    if not inserted:
        raise Conflict(f"a run of protection set {run.set_id} is not finished yet")
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)


async def lease_next_run(conn: Connection, lease_id: str, seconds: float, now: datetime) -> Lease | None:
    """Takes the oldest run that is free and whose repository is free. Leases go by the database's clock."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext('steward backup lease'))")
    row = await conn.fetchrow(
        """UPDATE runs SET state = 'leased', lease_id = $1, leased_until = now() + make_interval(secs => $2),
                  attempts = attempts + 1, started_at = coalesce(started_at, $3), version = version + 1
           WHERE id = (
               SELECT id FROM runs r
               WHERE (state = 'planned' OR (state = 'leased' AND leased_until < now()))
                 AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.site_id = r.site_id AND o.repository = r.repository
                                 AND o.state = 'leased' AND o.id <> r.id)
               ORDER BY id LIMIT 1)
           RETURNING *, EXISTS (SELECT 1 FROM runs d WHERE d.site_id = runs.site_id
                                AND d.repository = runs.repository AND d.state = 'done') AS repository_known""",
        lease_id,
        seconds,
        now,
    )
    if row is None:
        return None
    return Lease(_run(row), lease_id, row["correlation_id"], row["traceparent"], row["repository_known"])


async def extend_lease(conn: Connection, lease: Lease, seconds: float) -> bool:
    """Holds a run for ``seconds`` from now (0 gives it back); False when it is no longer ours."""
    held = await conn.fetchval(
        """UPDATE runs SET leased_until = now() + make_interval(secs => $3)
           WHERE id = $1 AND lease_id = $2 AND state = 'leased' RETURNING true""",
        lease.run.id,
        lease.id,
        seconds,
    )
    return bool(held)


async def end_run(conn: Connection, lease: Lease, ended: Run) -> bool:
    """Stores how a run ended and wakes the runners at commit; False when it is no longer ours."""
    assignments = ", ".join(f"{name} = ${number}" for number, name in enumerate(ENDED_FIELDS, start=3))
    held = await conn.fetchval(
        f"""UPDATE runs SET {assignments}, lease_id = NULL, leased_until = NULL
            WHERE id = $1 AND lease_id = $2 AND state = 'leased' RETURNING true""",  # noqa: S608 -- names from above
        lease.run.id,
        lease.id,
        *(getattr(ended, name) for name in ENDED_FIELDS),
    )
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)
    return bool(held)


async def select_run(conn: Connection, run_id: str) -> Run:
    """One run. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM runs WHERE id = $1", run_id)
    return _run(found(row, f"run {run_id}"))


async def select_runs(
    conn: Connection, visible: Collection[str] | None, set_id: str | None, before: str | None, limit: int
) -> list[Run]:
    """Runs, the latest first, behind ``before``, of one set or of all; ``visible`` None stands for all sites."""
    rows = await conn.fetch(
        """SELECT * FROM runs WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR set_id = $2)
           AND ($3::text IS NULL OR id < $3) ORDER BY id DESC LIMIT $4""",
        None if visible is None else list(visible),
        set_id,
        before,
        limit,
    )
    return [_run(row) for row in rows]


async def open_alert(conn: Connection, set_id: str, alert: OpenAlert) -> bool:
    """Remembers an alert of a set; False when one is open already."""
    opened = await conn.fetchval(
        """INSERT INTO open_alerts (set_id, alert_id, raised_at) VALUES ($1, $2, $3)
           ON CONFLICT DO NOTHING RETURNING true""",
        set_id,
        alert.alert_id,
        alert.raised_at,
    )
    return bool(opened)


async def close_alert(conn: Connection, set_id: str) -> OpenAlert | None:
    """Forgets the set's open alert and returns it, or None when there is none."""
    row = await conn.fetchrow("DELETE FROM open_alerts WHERE set_id = $1 RETURNING alert_id, raised_at", set_id)
    return None if row is None else OpenAlert(row["alert_id"], row["raised_at"])


def _run(row: asyncpg.Record) -> Run:
    return Run.model_validate(dict(row))
