"""Events of alerts."""

from services.notifier.alerts import store
from services.notifier.alerts.domain import KnownAlert, learn, wanted_notices
from services.notifier.delivery import handlers as delivery
from shared.events import Event
from shared.events.alerts import AlertRaised, AlertResolved
from shared.transactions import Transaction


async def hear_of_alert(tx: Transaction, event: Event[AlertRaised] | Event[AlertResolved]) -> None:
    """Keeps what the event tells of the alert and plans the mails that follow, due at once."""
    known = await store.lock_alert(tx.conn, event.data.alert_id)
    alert = learn(known or KnownAlert(event.data.alert_id, event.site_id, event.subject), event.data, tx.now)
    await store.upsert_alert(tx.conn, alert)
    for notice in wanted_notices(alert, tx.now):
        await delivery.plan_notice(tx, notice)
