"""Commands on maintenance windows."""

from services.maintenance.fleet import handlers as fleet
from services.maintenance.windows import domain, store
from services.maintenance.windows.domain import Plan, Times, Window
from shared.events import EventData
from shared.events.maintenance import (
    WindowCancelled,
    WindowEnded,
    WindowRescheduled,
    WindowScheduled,
    WindowStarted,
)
from shared.resource import check_version
from shared.transactions import Transaction, new_id


async def schedule_window(tx: Transaction, plan: Plan) -> Window:
    """Puts a window into the calendar. Raises NotFound, Malformed, Conflict, TooLarge."""
    # The site stays locked until the commit: of two windows that overlap, the second one sees the first.
    site = await fleet.lock_site(tx, plan.site_id)
    systems = await fleet.find_systems(tx.conn, plan.system_ids)
    window = domain.schedule(plan, site, systems, window_id=new_id(), now=tx.now)
    await _check_free(tx, window)
    await store.insert_window(tx.conn, window)
    _record(tx, WindowScheduled, window)
    return window


async def reschedule_window(tx: Transaction, window_id: str, expected_version: int, times: Times) -> Window:
    """Moves a window, or prolongs an open one. Raises NotFound, Stale, Malformed, Conflict."""
    old = await _lock_version(tx, window_id, expected_version)
    await fleet.lock_site(tx, old.site_id)
    window = domain.reschedule(old, times, tx.now)
    if window is old:
        return old
    await _check_free(tx, window)
    await store.update_window(tx.conn, window)
    _record(tx, WindowRescheduled, window, previous_starts_at=old.starts_at, previous_ends_at=old.ends_at)
    return window


async def cancel_window(tx: Transaction, window_id: str, expected_version: int, reason: str) -> Window:
    """Calls a window off. Raises NotFound, Stale, Conflict."""
    window = domain.cancel(await _lock_version(tx, window_id, expected_version), reason, tx.now)
    await store.update_window(tx.conn, window)
    _record(tx, WindowCancelled, window)
    return window


async def end_window(tx: Transaction, window_id: str, expected_version: int) -> Window:
    """Closes an open window before its time. Raises NotFound, Stale, Conflict."""
    window = domain.end_early(await _lock_version(tx, window_id, expected_version), tx.now)
    await store.update_window(tx.conn, window)
    _record(tx, WindowEnded, window)
    return window


async def advance_due_window(tx: Transaction) -> Window | None:
    """Starts or ends the window that has been due longest; None when none is due that nobody else works on."""
    old = await store.lock_due_window(tx.conn, tx.now)
    window = old and old.due_change(tx.now)
    if window is None:
        return None
    await store.update_window(tx.conn, window)
    _record(tx, WindowStarted if window.state == "started" else WindowEnded, window)
    return window


async def _lock_version(tx: Transaction, window_id: str, expected_version: int) -> Window:
    window = await store.lock_window(tx.conn, window_id)
    check_version(f"window {window_id}", window, expected_version)
    return window


async def _check_free(tx: Transaction, window: Window) -> None:
    system_ids = [system.id for system in window.systems]
    domain.check_free(window, await store.select_live_windows(tx.conn, system_ids, window.times))


def _record(tx: Transaction, contract: type[EventData], window: Window, **more: object) -> None:
    data = contract.model_validate({**window.model_dump(), "window_id": window.id, **more})
    tx.record(data, subject=window.site_id, site_id=window.site_id)
