"""What ends of life learn from events: advisories that have no fix."""

from collections.abc import Mapping

from services.inventory.endoflife import handlers
from shared.consumer import Handler
from shared.events import Event, EventData
from shared.events.maintenance import AdvisoryPublished
from shared.transactions import Transaction


async def on_advisory_published(tx: Transaction, event: Event[AdvisoryPublished]) -> None:
    """Keeps the newest word on the advisory; an older one that comes later changes nothing."""
    await handlers.take_advisory(tx, event.subject, event.site_id, event.data)


HANDLERS: Mapping[type[EventData], Handler] = {AdvisoryPublished: on_advisory_published}
