"""What changes the ledger directly."""

from collections.abc import Mapping

from services.notifier.delivery import handlers
from shared.consumer import Handler
from shared.events import EventData
from shared.events.inventory import PersonChanged

HANDLERS: Mapping[type[EventData], Handler] = {PersonChanged: handlers.tell_newcomer}
