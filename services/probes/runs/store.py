"""SQL of runs. Due times and leases go by the database's clock, which all replicas share."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from services.probes.alerts.limits import Limits
from services.probes.runs.domain import Cadence, Due, Ended, Probe
from shared.database import Connection

CHANNEL = "steward_probes"


async def upsert_probe(conn: Connection, probe: Probe) -> None:
    """Keeps a probe; a new one is due at once. Tells the runners."""
    columns = list(_row(probe))
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns)
    await conn.execute(
        f"""INSERT INTO probes ({", ".join(columns)}, next_due) VALUES ({places}, now())
            ON CONFLICT (id) DO UPDATE SET {changes}""",  # noqa: S608 -- the names are our own dataclass's
        *_row(probe).values(),
    )
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


async def lease(conn: Connection, dues: Mapping[str, datetime], token: str, spare_seconds: float) -> None:
    """Marks the runs of these probes at these due times as under way for at most their timeout and a spare time."""
    await conn.execute(
        """UPDATE probes SET next_due = run.due_at, lease = $3,
                  leased_until = now() + timeout + make_interval(secs => $4)
           FROM unnest($1::text[], $2::timestamptz[]) AS run (id, due_at) WHERE probes.id = run.id""",
        list(dues),
        list(dues.values()),
        token,
        spare_seconds,
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


def _row(probe: Probe) -> dict[str, Any]:
    limits = {name: limits.model_dump() for name, limits in probe.limits.items()}
    return vars(probe) | {"settings": dict(probe.settings), "limits": limits}


def _probe(row: asyncpg.Record) -> Probe:
    kept = {name: row[name] for name in Probe.__dataclass_fields__}
    limits = {name: Limits(**limits) for name, limits in row["limits"].items()}
    return Probe(**kept | {"depends_on": tuple(row["depends_on"]), "limits": limits})
