"""What the overview asks of the other services."""

import asyncio
from datetime import datetime, timedelta

from services.console.overview.domain import (
    SHOWN_ENTRIES,
    Alert,
    Answers,
    Entry,
    Node,
    Order,
    Report,
    Run,
    Site,
    Standing,
    System,
    Target,
    Window,
)
from services.console.rest import PAGE, Asking

AHEAD = timedelta(days=14)
ROUTINE = ("probe.result", "alert.transitioned", "log.manifest", "log.accessed")
"""Not shown of the audit trail: they would be all that one sees."""


async def ask(asking: Asking, now: datetime) -> Answers:
    """All parts, asked for at once."""
    soon = {"from": _wire(now), "to": _wire(now + AHEAD)}
    async with asyncio.TaskGroup() as group:
        sites = group.create_task(asking.all("/inventory/v1/sites", Site))
        systems = group.create_task(asking.all("/inventory/v1/systems", System))
        nodes = group.create_task(asking.all("/inventory/v1/nodes", Node))
        orders = group.create_task(asking.all("/inventory/v1/replacement-orders", Order, state="due"))
        targets = group.create_task(asking.all("/probes/v1/targets", Target))
        alerts = group.create_task(asking.all("/probes/v1/alerts", Alert, open="true"))
        standings = group.create_task(asking.all("/probes/v1/standings", Standing))
        reports = group.create_task(asking.all("/probes/v1/reports", Report, state="open"))
        windows = group.create_task(asking.all("/maintenance/v1/windows", Window, **soon))
        runs = group.create_task(asking.page("/backup/v1/runs", Run, PAGE))
        entries = group.create_task(asking.page("/compliance/v1/events", Entry, SHOWN_ENTRIES, not_type=ROUTINE))
    return Answers(
        sites=sites.result(),
        systems=systems.result(),
        nodes=nodes.result(),
        orders=orders.result(),
        targets=targets.result(),
        alerts=alerts.result(),
        standings=standings.result(),
        reports=reports.result(),
        windows=windows.result(),
        runs=runs.result(),
        entries=entries.result(),
    )


def _wire(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
