"""What the audience learns from inventory."""

from collections.abc import Mapping

from services.notifier.audience import handlers
from shared.consumer import Handler
from shared.events import EventData
from shared.events.inventory import AssetChanged, PersonChanged, SiteChanged

HANDLERS: Mapping[type[EventData], Handler] = {
    SiteChanged: handlers.keep_site,
    PersonChanged: handlers.keep_person,
    AssetChanged: handlers.keep_asset,
}
