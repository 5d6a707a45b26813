"""What usage learns from events: the counters that probes have read."""

from collections.abc import Mapping

from services.inventory.usage import handlers
from services.inventory.usage.domain import counters_in
from shared.consumer import Handler
from shared.events import Event, EventData
from shared.events.probes import ProbeResult
from shared.transactions import Transaction


async def on_probe_result(tx: Transaction, event: Event[ProbeResult]) -> None:
    """Keeps the counters that a probe has read; most results have none and cost nothing."""
    counters = counters_in(event.data.kind, event.data.measures)
    if counters:
        await handlers.take_usage(tx, event.subject, event.site_id, counters, event.data.started_at)


HANDLERS: Mapping[type[EventData], Handler] = {ProbeResult: on_probe_result}
