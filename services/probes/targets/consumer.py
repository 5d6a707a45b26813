"""Which events make and end targets."""

from collections.abc import Mapping
from functools import partial

from services.probes.targets import handlers
from services.probes.targets.domain import Defaults
from shared.consumer import Handler
from shared.events import EventData
from shared.events.inventory import AssetChanged, AssetRetired


def asset_handlers(defaults: Defaults) -> Mapping[type[EventData], Handler]:
    """What keeps the targets; their nodes get the probes of ``defaults``."""
    return {
        AssetChanged: partial(handlers.keep_asset, defaults=defaults),
        AssetRetired: partial(handlers.retire_asset, defaults=defaults),
    }
