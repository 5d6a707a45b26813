"""SQL of maintenance windows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.maintenance.windows.domain import State, Times, Window
from shared.database import Connection, found

CHANNEL = "steward_windows"
"""Notified at the commit of whatever may bring the next due instant nearer."""


@dataclass(frozen=True)
class Selection:
    """Which windows a list shows; None leaves a criterion out. ``visible`` None stands for all sites."""

    visible: Collection[str] | None
    site_id: str | None
    state: State | None
    ends_after: datetime | None
    starts_before: datetime | None


async def insert_window(conn: Connection, window: Window) -> None:
    """Adds a window and takes its time on each of its systems."""
    await conn.execute(
        """INSERT INTO windows (id, site_id, time_zone, state, revision, version, title, reason, impact,
               starts_at, ends_at, systems, contact)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)""",
        window.id,
        window.site_id,
        window.time_zone,
        window.state,
        window.revision,
        window.version,
        window.title,
        window.reason,
        window.impact,
        window.starts_at,
        window.ends_at,
        [system.model_dump() for system in window.systems],
        window.contact,
    )
    await conn.execute(
        """INSERT INTO window_systems (window_id, system_id, period)
           SELECT $1, system_id, tstzrange($3, $4) FROM unnest($2::text[]) AS system_id""",
        window.id,
        [system.id for system in window.systems],
        window.starts_at,
        window.ends_at,
    )
    await _wake_schedule(conn)


async def update_window(conn: Connection, window: Window) -> None:
    """Stores what can change about a window, which the caller has locked."""
    await conn.execute(
        """UPDATE windows SET state = $2, revision = $3, version = $4, starts_at = $5, ends_at = $6, started_at = $7,
               ended_at = $8, cancelled_at = $9, cancellation_reason = $10 WHERE id = $1""",
        window.id,
        window.state,
        window.revision,
        window.version,
        window.starts_at,
        window.ends_at,
        window.started_at,
        window.ended_at,
        window.cancelled_at,
        window.cancellation_reason,
    )
    await conn.execute(
        "UPDATE window_systems SET period = tstzrange($2, $3), live = $4 WHERE window_id = $1",
        window.id,
        window.starts_at,
        window.ends_at,
        window.is_live,
    )
    await _wake_schedule(conn)


async def _wake_schedule(conn: Connection) -> None:
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)


async def select_window(conn: Connection, window_id: str) -> Window:
    """One window. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM windows WHERE id = $1", window_id)
    return Window.model_validate(dict(found(row, f"window {window_id}")))


async def lock_window(conn: Connection, window_id: str) -> Window:
    """One window, held against others until the transaction ends. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM windows WHERE id = $1 FOR UPDATE", window_id)
    return Window.model_validate(dict(found(row, f"window {window_id}")))


async def select_windows(conn: Connection, selection: Selection, after: str | None, limit: int) -> list[Window]:
    """The selected windows by id behind ``after``."""
    rows = await conn.fetch(
        """SELECT * FROM windows
           WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR site_id = $2)
             AND ($3::text IS NULL OR state = $3) AND ($4::timestamptz IS NULL OR ends_at > $4)
             AND ($5::timestamptz IS NULL OR starts_at < $5) AND ($6::text IS NULL OR id > $6)
           ORDER BY id LIMIT $7""",
        None if selection.visible is None else list(selection.visible),
        selection.site_id,
        selection.state,
        selection.ends_after,
        selection.starts_before,
        after,
        limit,
    )
    return [Window.model_validate(dict(row)) for row in rows]


async def select_live_windows(conn: Connection, system_ids: Sequence[str], times: Times) -> list[Window]:
    """The live windows of the systems that lie around ``times``, the earliest first."""
    rows = await conn.fetch(
        """SELECT * FROM windows WHERE id IN (
               SELECT window_id FROM window_systems
               WHERE live AND system_id = ANY($1) AND period && tstzrange($2, $3, '[]'))
           ORDER BY starts_at, id""",
        list(system_ids),
        times.starts_at,
        times.ends_at,
    )
    return [Window.model_validate(dict(row)) for row in rows]


async def lock_due_window(conn: Connection, now: datetime) -> Window | None:
    """The window that has been due longest and that nobody else is working on. What ends goes before what starts."""
    row = await conn.fetchrow(
        """SELECT * FROM windows WHERE due_at <= $1 ORDER BY due_at, state = 'scheduled', id
           LIMIT 1 FOR UPDATE SKIP LOCKED""",
        now,
    )
    return None if row is None else Window.model_validate(dict(row))


async def select_next_due(conn: Connection) -> datetime | None:
    """The next instant at which a window starts or ends."""
    due: datetime | None = await conn.fetchval("SELECT min(due_at) FROM windows")
    return due
