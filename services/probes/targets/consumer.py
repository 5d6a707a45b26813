"""Which events make and end targets."""

from collections.abc import Mapping

from services.probes.targets import handlers
from shared.consumer import Handler
from shared.events import EventData
from shared.events.inventory import AssetChanged, AssetRetired

HANDLERS: Mapping[type[EventData], Handler] = {
    AssetChanged: handlers.keep_asset,
    AssetRetired: handlers.retire_asset,
}
