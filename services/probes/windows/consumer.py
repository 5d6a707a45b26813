"""Which events tell of maintenance windows."""

from collections.abc import Mapping

from services.probes.windows import handlers
from shared.consumer import Handler
from shared.events import EventData
from shared.events.maintenance import (
    WindowCancelled,
    WindowEnded,
    WindowRescheduled,
    WindowScheduled,
    WindowStarted,
)

HANDLERS: Mapping[type[EventData], Handler] = {
    WindowScheduled: handlers.keep_window,
    WindowRescheduled: handlers.keep_window,
    WindowStarted: handlers.start_window,
    WindowEnded: handlers.end_window,
    WindowCancelled: handlers.cancel_window,
}
