"""Which events tell of the time at sites."""

from collections.abc import Mapping

from services.probes.baselines import handlers
from shared.consumer import Handler
from shared.events import EventData
from shared.events.inventory import SiteChanged

HANDLERS: Mapping[type[EventData], Handler] = {SiteChanged: handlers.keep_site}
