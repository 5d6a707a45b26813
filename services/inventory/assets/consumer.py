"""What assets learn from events."""

from collections.abc import Mapping

from services.inventory.assets import handlers
from shared.consumer import Handler
from shared.events import Event, EventData
from shared.events.maintenance import PatchApplied
from shared.transactions import Transaction


async def on_patch_applied(tx: Transaction, event: Event[PatchApplied]) -> None:
    """The system runs the version it was patched to, unless a later word on it came before this one.

    Raises NotFound for a system that inventory never had at that site, Malformed for a version that is none: the
    producer is wrong, and a person must see it.
    """
    await handlers.take_version_over(tx, event.subject, event.site_id, event.data.to_version, event.time)


HANDLERS: Mapping[type[EventData], Handler] = {PatchApplied: on_patch_applied}
