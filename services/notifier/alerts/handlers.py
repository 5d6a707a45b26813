"""Events of alerts."""

from typing import Any

from services.notifier.alerts import store
from services.notifier.alerts.domain import REVISIONS, KnownAlert, Told, learn, wanted_notices
from services.notifier.delivery import handlers as delivery
from shared.events import Event
from shared.events.alerts import AlertRaised, AlertResolved, AlertTransitioned
from shared.transactions import Transaction


async def hear_of_alert(tx: Transaction, event: Event[AlertRaised] | Event[AlertResolved]) -> None:
    """Keeps what the event tells of the alert and plans the mails that follow, due at once."""
    await _learn(tx, event.data.alert_id, event)


async def hear_of_transition(tx: Transaction, event: Event[AlertTransitioned]) -> None:
    """Plans a mail where an open alert has taken a turn for the worse; any other step is nobody's mail."""
    if event.data.alert_id is not None and event.data.what in REVISIONS:
        await _learn(tx, event.data.alert_id, event)


async def _learn(tx: Transaction, alert_id: str, event: Event[Any]) -> None:
    told: Told = event.data
    known = await store.lock_alert(tx.conn, alert_id)
    alert = learn(known or KnownAlert(alert_id, event.site_id, event.subject), told, tx.now)
    await store.upsert_alert(tx.conn, alert)
    for notice in wanted_notices(alert, tx.now):
        await delivery.plan_notice(tx, notice)
