"""What alerts hear, from whichever service raised them."""

from collections.abc import Mapping

from services.notifier.alerts.handlers import hear_of_alert, hear_of_transition
from shared.consumer import Handler
from shared.events import EventData
from shared.events.alerts import AlertRaised, AlertResolved, AlertTransitioned

HANDLERS: Mapping[type[EventData], Handler] = {
    AlertRaised: hear_of_alert,
    AlertResolved: hear_of_alert,
    AlertTransitioned: hear_of_transition,
}
