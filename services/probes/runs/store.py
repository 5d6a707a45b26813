"""SQL of runs. Due times and leases go by the database's clock, which all replicas share."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import asyncpg

from services.probes.runs.domain import Due, Ended, Probe, Result
from shared.database import Connection

CHANNEL = "steward_probes"


async def upsert_probe(conn: Connection, probe: Probe) -> None:
    """Keeps a probe; a new one is due at once. Tells the runners."""
    await conn.execute(
        """INSERT INTO probes (id, kind, subject, site_id, system_id, name, settings, next_due)
           VALUES ($1, $2, $3, $4, $5, $6, $7, now())
           ON CONFLICT (id) DO UPDATE SET site_id = $4, system_id = $5, name = $6, settings = $7""",
        probe.id,
        probe.kind,
        probe.subject,
        probe.site_id,
        probe.system_id,
        probe.name,
        dict(probe.settings),
    )
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)


async def delete_probe(conn: Connection, probe_id: str) -> Probe | None:
    """Takes a probe away and returns it; a run that is under way can no longer store its result. Tells the runners."""
    row = await conn.fetchrow("DELETE FROM probes WHERE id = $1 RETURNING *", probe_id)
    if row is None:
        return None
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)
    return _probe(row)


async def select_due(conn: Connection, limit: int) -> list[Due]:
    """Probes that are due and not leased; locked."""
    rows = await conn.fetch(
        """SELECT *, now() AS present FROM probes
           WHERE next_due <= now() AND (leased_until IS NULL OR leased_until <= now())
           ORDER BY next_due LIMIT $1 FOR UPDATE SKIP LOCKED""",
        limit,
    )
    return [Due(_probe(row), row["next_due"], row["present"]) for row in rows]


async def lease(conn: Connection, dues: Mapping[str, datetime], token: str, seconds: float) -> None:
    """Marks the runs of these probes at these due times as under way for at most ``seconds``."""
    await conn.execute(
        """UPDATE probes SET next_due = run.due_at, lease = $3, leased_until = now() + make_interval(secs => $4)
           FROM unnest($1::text[], $2::timestamptz[]) AS run (id, due_at) WHERE probes.id = run.id""",
        list(dues),
        list(dues.values()),
        token,
        seconds,
    )


async def select_seconds_until_due(conn: Connection) -> float | None:
    """Seconds until the next probe is due or a lease ends; None when there is no probe."""
    seconds: float | None = await conn.fetchval(
        """SELECT extract(epoch FROM min(greatest(next_due, leased_until)) - clock_timestamp())::float8 FROM probes"""
    )
    return seconds


async def select_leases(conn: Connection, probe_ids: Collection[str]) -> dict[str, str | None]:
    """The leases of these probes, locked."""
    rows = await conn.fetch("SELECT id, lease FROM probes WHERE id = ANY($1) ORDER BY id FOR UPDATE", list(probe_ids))
    return {row["id"]: row["lease"] for row in rows}


async def end_leases(conn: Connection, ended: Sequence[Ended]) -> None:
    """Makes the probes free again, each with its last result and due at its next time."""
    await conn.execute(
        """UPDATE probes SET next_due = run.due_at, lease = NULL, leased_until = NULL,
                  last_result = run.result_id
           FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS run (id, due_at, result_id)
           WHERE probes.id = run.id""",
        [one.probe_id for one in ended],
        [one.next_due for one in ended],
        [one.result_id for one in ended],
    )


async def insert_results(conn: Connection, results: Sequence[Result]) -> None:
    """Keeps results. Raises UniqueViolationError for a run that has one: the lease must have kept that from us."""
    columns = list(Result.model_fields)
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    await conn.executemany(
        f"INSERT INTO results ({', '.join(columns)}) VALUES ({places})",  # noqa: S608 -- the names are our own model's
        [[getattr(result, column) for column in columns] for result in results],
    )


async def select_results(
    conn: Connection, visible: Collection[str] | None, subject: str | None, before: str | None, limit: int
) -> list[Result]:
    """Results, the latest first, behind ``before``; ``visible`` None stands for all sites."""
    rows = await conn.fetch(
        """SELECT * FROM results
           WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR subject = $2)
             AND ($3::text IS NULL OR id < $3)
           ORDER BY id DESC LIMIT $4""",
        None if visible is None else list(visible),
        subject,
        before,
        limit,
    )
    return [Result.model_validate(dict(row)) for row in rows]


async def select_last_results(conn: Connection, subjects: Collection[str]) -> list[Result]:
    """The results of the last runs of these subjects' probes, by kind."""
    rows = await conn.fetch(
        """SELECT results.* FROM probes JOIN results ON results.id = probes.last_result
           WHERE probes.subject = ANY($1) ORDER BY probes.kind""",
        list(subjects),
    )
    return [Result.model_validate(dict(row)) for row in rows]


async def delete_results_before(conn: Connection, instant: datetime) -> None:
    """Forgets results that are older; their events stay in the audit log."""
    await conn.execute("DELETE FROM results WHERE started_at < $1", instant)


def _probe(row: asyncpg.Record) -> Probe:
    return Probe(**{name: row[name] for name in Probe.__dataclass_fields__})
