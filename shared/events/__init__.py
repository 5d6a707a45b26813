"""The contracts of all events, a module or two per producing service, and the envelope they travel in."""

from shared.events import (
    alerts,
    backup,
    compliance,
    decommissioning,
    documents,
    inventory,
    maintenance,
    notifier,
    probes,
)
from shared.events.contract import CONTRACTS, GROUP, EventData, Instant, SiteId, Topic
from shared.events.envelope import MAX_EVENT_BYTES, Event, decode, encode_unsequenced, with_sequence

__all__ = [
    "CONTRACTS",
    "GROUP",
    "MAX_EVENT_BYTES",
    "Event",
    "EventData",
    "Instant",
    "SiteId",
    "Topic",
    "alerts",
    "backup",
    "compliance",
    "decode",
    "decommissioning",
    "documents",
    "encode_unsequenced",
    "inventory",
    "maintenance",
    "notifier",
    "probes",
    "with_sequence",
]
