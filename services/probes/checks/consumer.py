"""Which events start and stop checks. Targets must have handled them before."""

from collections.abc import Mapping

from services.probes.checks import handlers
from shared.consumer import Handler
from shared.events import EventData
from shared.events.inventory import AssetChanged, AssetRetired

HANDLERS: Mapping[type[EventData], Handler] = {
    AssetChanged: handlers.follow_asset,
    AssetRetired: handlers.follow_asset,
}
