"""Events that protection sets follow."""

from collections.abc import Mapping

from services.backup.sets import handlers
from shared.consumer import Handler
from shared.events import EventData
from shared.events.inventory import AssetChanged

HANDLERS: Mapping[type[EventData], Handler] = {AssetChanged: handlers.keep_system}
