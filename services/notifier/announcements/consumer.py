"""What announcements hear from maintenance."""

from collections.abc import Mapping

from services.notifier.announcements.handlers import hear_of_window
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
    WindowScheduled: hear_of_window,
    WindowRescheduled: hear_of_window,
    WindowCancelled: hear_of_window,
    WindowStarted: hear_of_window,
    WindowEnded: hear_of_window,
}
