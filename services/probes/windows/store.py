"""SQL of maintenance windows."""

from datetime import datetime

from services.probes.windows.domain import Window
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
