"""What dossiers learn from events: which steps of each life the audit trail has, by the digest of their bytes."""

from collections.abc import Mapping
from hashlib import sha256

from services.inventory.dossier import handlers
from services.inventory.dossier.record import ToldEvent
from shared.consumer import Handler
from shared.events import Event, EventData
from shared.events.decommissioning import CustodyChanged, DisposalRecorded
from shared.events.inventory import AssetTransitioned, EvidenceChanged, WaiverChanged
from shared.transactions import Transaction

STEPS: tuple[type[EventData], ...] = (
    AssetTransitioned,
    EvidenceChanged,
    WaiverChanged,
    CustodyChanged,
    DisposalRecorded,
)


async def on_step(tx: Transaction, event: Event[EventData]) -> None:
    """Keeps that the step was told, with the digest of the very bytes that the audit log hashes."""
    told = ToldEvent(event.id, event.type, event.subject, sha256(event.raw).hexdigest())
    await handlers.keep_told(tx, told, event.time)


HANDLERS: Mapping[type[EventData], Handler] = dict.fromkeys(STEPS, on_step)
