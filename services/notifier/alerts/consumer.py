"""What alerts hear, from whichever service raised them."""

from collections.abc import Mapping

from services.notifier.alerts.handlers import hear_of_alert
from shared.consumer import Handler
from shared.events import EventData
from shared.events.alerts import AlertRaised, AlertResolved

HANDLERS: Mapping[type[EventData], Handler] = {AlertRaised: hear_of_alert, AlertResolved: hear_of_alert}
