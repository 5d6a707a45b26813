"""What evidence learns from events: a gate that is met by events closes by itself when the event comes."""

from collections.abc import Mapping

from services.inventory.evidence.handlers import take_event
from services.inventory.policies.soundness import EVIDENCE_EVENTS
from shared.consumer import Handler
from shared.events import EventData

HANDLERS: Mapping[type[EventData], Handler] = dict.fromkeys(EVIDENCE_EVENTS.values(), take_event)
