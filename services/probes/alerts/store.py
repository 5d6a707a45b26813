"""SQL of alerts, of where each probe stands, and of the windows that hold alerts back."""

from collections.abc import Collection
from datetime import datetime

from services.probes.alerts.domain import Alert, AlertState, Window
from shared.database import Connection
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


async def select_state(conn: Connection, probe_id: str) -> AlertState:
    """Where a probe stands."""
    row = await conn.fetchrow(
        "SELECT phase, failures, successes, since, is_held FROM alert_states WHERE probe_id = $1", probe_id
    )
    return AlertState(**row) if row else AlertState()


async def upsert_state(conn: Connection, probe_id: str, state: AlertState) -> None:
    """Keeps where a probe stands."""
    await conn.execute(
        """INSERT INTO alert_states (probe_id, phase, failures, successes, since, is_held)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (probe_id) DO UPDATE
               SET phase = $2, failures = $3, successes = $4, since = $5, is_held = $6""",
        probe_id,
        state.phase,
        state.failures,
        state.successes,
        state.since,
        state.is_held,
    )


async def delete_state(conn: Connection, probe_id: str) -> None:
    """Makes the probe stand at "ok", as one that was never judged."""
    await conn.execute("DELETE FROM alert_states WHERE probe_id = $1", probe_id)


async def insert_alert(conn: Connection, alert: Alert) -> None:
    """Keeps an alert that was raised."""
    await conn.execute(
        """INSERT INTO alerts (id, "check", subject, asset_name, site_id, system_id, severity, summary, since,
                               raised_at, persisted_past_window)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
        alert.id,
        alert.check,
        alert.subject,
        alert.asset_name,
        alert.site_id,
        alert.system_id,
        alert.severity,
        alert.summary,
        alert.since,
        alert.raised_at,
        alert.persisted_past_window,
    )


async def resolve_alert(
    conn: Connection, subject: str, check: str, resolved_at: datetime, resolution: str
) -> Alert | None:
    """Resolves the open alert of that check and returns it; None when there is none."""
    row = await conn.fetchrow(
        """UPDATE alerts SET resolved_at = $3, resolution = $4
           WHERE subject = $1 AND "check" = $2 AND resolved_at IS NULL RETURNING *""",
        subject,
        check,
        resolved_at,
        resolution,
    )
    return Alert.model_validate(dict(row)) if row else None


async def select_alerts(
    conn: Connection,
    visible: Collection[str] | None,
    subject: str | None,
    is_open: bool | None,
    before: str | None,
    limit: int,
) -> list[Alert]:
    """Alerts, the latest first, behind ``before``; ``visible`` None stands for all sites."""
    rows = await conn.fetch(
        """SELECT * FROM alerts
           WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR subject = $2)
             AND ($3::boolean IS NULL OR (resolved_at IS NULL) = $3) AND ($4::text IS NULL OR id < $4)
           ORDER BY id DESC LIMIT $5""",
        None if visible is None else list(visible),
        subject,
        is_open,
        before,
        limit,
    )
    return [Alert.model_validate(dict(row)) for row in rows]
