"""Which events ask for a run of a suite."""

from collections.abc import Mapping

from services.probes.suites.handlers import check_new_node, take_request
from shared.consumer import Handler
from shared.events import EventData
from shared.events.inventory import AssetChanged
from shared.events.maintenance import SuiteRequested

HANDLERS: Mapping[type[EventData], Handler] = {
    SuiteRequested: take_request,
    AssetChanged: check_new_node,
}
