"""Inventory's events in."""

from collections.abc import Mapping

from services.maintenance.fleet import handlers
from shared.consumer import Handler
from shared.events import EventData
from shared.events.inventory import AssetChanged, SiteChanged

HANDLERS: Mapping[type[EventData], Handler] = {
    SiteChanged: handlers.keep_site,
    AssetChanged: handlers.keep_system,
}
