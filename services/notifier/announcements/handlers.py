"""Events of maintenance windows."""

from services.notifier.announcements import store
from services.notifier.announcements.windows import KnownWindow, due_at, learn, wanted_notices
from services.notifier.delivery import handlers as delivery
from services.notifier.delivery.domain import NewNotice
from shared.events import Event, maintenance
from shared.transactions import Transaction


async def hear_of_window(tx: Transaction, event: Event[maintenance.Window]) -> None:
    """Keeps what the event tells of the window, plans the notices that follow, ends those of older revisions."""
    known = await store.lock_window(tx.conn, event.data.window_id)
    window = learn(known, event.data, event.site_id, event.time)
    await store.upsert_window(tx.conn, window)
    await delivery.supersede_notices(tx, event.data.window_id, before_revision=window.facts.revision)
    await _plan(tx, window)


async def _plan(tx: Transaction, window: KnownWindow) -> None:
    for notice in wanted_notices(window):
        await delivery.plan_notice(
            tx,
            NewNotice(
                site_id=window.site_id,
                about=notice.window_id,
                kind=notice.kind,
                revision=notice.revision,
                due_at=due_at(notice, window, tx.now),
                expires_at=notice.expires_at,
                breaches_lead_time=notice.breaches_lead_time,
            ),
        )
