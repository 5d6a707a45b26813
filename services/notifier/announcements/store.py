"""SQL of announcements."""

from services.notifier.announcements.windows import KnownWindow
from shared.database import Connection
from shared.events import maintenance


async def lock_window(conn: Connection, window_id: str) -> KnownWindow | None:
    """The window, alone until the transaction ends, also while it is not stored yet."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"window {window_id}")
    return await select_window(conn, window_id)


async def select_window(conn: Connection, window_id: str) -> KnownWindow | None:
    """The window, if it has been heard of."""
    row = await conn.fetchrow("SELECT * FROM windows WHERE id = $1", window_id)
    if row is None:
        return None
    previous = (row["previous_starts_at"], row["previous_ends_at"])
    return KnownWindow(
        site_id=row["site_id"],
        facts=maintenance.Window.model_validate(row["facts"]),
        scheduled_at=row["scheduled_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        cancelled_at=row["cancelled_at"],
        previous=previous if previous[0] is not None else None,
        cancellation_reason=row["cancellation_reason"],
    )


async def upsert_window(conn: Connection, window: KnownWindow) -> None:
    """Keeps what is known of the window."""
    await conn.execute(
        """INSERT INTO windows (id, site_id, facts, scheduled_at, started_at, ended_at, cancelled_at,
                                previous_starts_at, previous_ends_at, cancellation_reason)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
           ON CONFLICT (id) DO UPDATE SET site_id = $2, facts = $3, scheduled_at = $4, started_at = $5, ended_at = $6,
               cancelled_at = $7, previous_starts_at = $8, previous_ends_at = $9, cancellation_reason = $10""",
        window.facts.window_id,
        window.site_id,
        window.facts.model_dump(mode="json"),
        window.scheduled_at,
        window.started_at,
        window.ended_at,
        window.cancelled_at,
        *(window.previous or (None, None)),
        window.cancellation_reason,
    )
