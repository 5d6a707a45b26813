"""What maintenance tells of windows."""

from datetime import datetime, timedelta
from typing import Any

from services.probes.windows import store
from services.probes.windows.domain import Window
from shared.events import Event
from shared.transactions import Transaction

LONGEST_RUN = timedelta(days=1)


async def keep_window(tx: Transaction, event: Event[Any]) -> None:
    """Takes over a window's times and scope, unless a later revision is known."""
    await store.upsert_window(tx.conn, event.data)


async def start_window(tx: Transaction, event: Event[Any]) -> None:
    """The window is open from the event's time on, unless its planned start came first."""
    await keep_window(tx, event)
    await store.mark_window(tx.conn, event.data.window_id, started_at=event.time)


async def end_window(tx: Transaction, event: Event[Any]) -> None:
    """The window is closed from the event's time on, unless its planned end came first."""
    await keep_window(tx, event)
    await store.mark_window(tx.conn, event.data.window_id, ended_at=event.time)


async def cancel_window(tx: Transaction, event: Event[Any]) -> None:
    """The window holds nothing back any more."""
    await keep_window(tx, event)
    await store.mark_window(tx.conn, event.data.window_id, is_cancelled=True)


async def load_windows(tx: Transaction, grace: timedelta, since: datetime | None = None) -> list[Window]:
    """The windows that matter for results of now, where they hold alerts back for ``grace`` after their end.

    ``since`` is the start of the earliest result, which may have waited at its agent for weeks.
    """
    return await store.select_windows(tx.conn, min(since or tx.now, tx.now - LONGEST_RUN) - grace)
