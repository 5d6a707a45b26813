"""What the page of ends of life asks of inventory."""

import asyncio
from dataclasses import dataclass
from datetime import date

from services.console.endoflife.domain import Answers, BudgetLine, Chosen, ComponentEnd, Order, days_wanted
from services.console.overview.domain import Site
from services.console.rest import Asking

INVENTORY = "/inventory/v1"
SHOWN_ENDS = 50
SHOWN_ORDERS = 25


@dataclass(frozen=True)
class Places:
    """Where the pages of the long lists begin; None at their beginning."""

    ends: str | None = None
    orders: str | None = None


async def ask(asking: Asking, chosen: Chosen, places: Places, today: date) -> Answers:
    """All parts, asked for at once."""
    since, before = days_wanted(chosen, today)
    days = {"since": since.isoformat() if since else None, "before": before.isoformat()}
    site = {"site_id": chosen.site_id}
    async with asyncio.TaskGroup() as group:
        sites = group.create_task(asking.all(f"{INVENTORY}/sites", Site))
        budget = group.create_task(
            asking.list(f"{INVENTORY}/ends-of-life/budget", BudgetLine, first_month=chosen.first_month, **site)
        )
        ends = group.create_task(
            asking.page(f"{INVENTORY}/ends-of-life", ComponentEnd, SHOWN_ENDS, cursor=places.ends, **days, **site)
        )
        orders = group.create_task(
            asking.page(
                f"{INVENTORY}/replacement-orders",
                Order,
                SHOWN_ORDERS,
                cursor=places.orders,
                state=chosen.orders,
                **site,
            )
        )
    return Answers(sites.result(), budget.result(), ends.result(), orders.result())
