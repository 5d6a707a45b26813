"""Which events make and end targets."""

from collections.abc import Mapping
from functools import partial

from services.probes.runs.domain import Cadence
from services.probes.targets import handlers
from shared.consumer import Handler
from shared.events import EventData
from shared.events.inventory import AssetChanged, AssetRetired


def asset_handlers(usual: Cadence) -> Mapping[type[EventData], Handler]:
    """What keeps the targets; their nodes are probed at the ``usual`` cadence."""
    return {
        AssetChanged: partial(handlers.keep_asset, usual=usual),
        AssetRetired: partial(handlers.retire_asset, usual=usual),
    }
