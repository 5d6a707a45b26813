"""End of life over HTTP."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import ConfigDict

from services.inventory.components.handlers import find_component
from services.inventory.endoflife import handlers, store
from services.inventory.endoflife.domain import (
    BudgetLine,
    ComponentEnd,
    Ground,
    OrderState,
    ReplacementOrder,
    Rule,
    TypeRule,
)
from services.inventory.endoflife.store import Place, Selection
from shared.errors import Malformed
from shared.events import SiteId
from shared.events.inventory import ComponentType
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.http.pages import PageRequest
from shared.resource import Id, Line

router = APIRouter(prefix="/v1", tags=["end of life"])


class DecideOrder(Body):
    """The order was placed under a ``reference``, or is not wanted before ``waived_until``, for a reason."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "ordered", "reference": "PO-2026-118"}]})

    state: Literal["due", "ordered", "waived"]
    reference: Line | None = None
    waived_until: date | None = None
    reason: Line | None = None


class SetRule(Body):
    """What ends the life of components of a type."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rule": {
                        "max_age_months": 48,
                        "usage": [{"counter": "power_on_hours", "limit": 35000}],
                        "lead_days": 120,
                    }
                }
            ]
        }
    )

    rule: Rule


@router.get("/components/{component_id}/end-of-life")
async def get_end(component_id: Id, call: Annotated[Call, requires("viewer")]) -> ComponentEnd:
    """When a component must be replaced and why, by what is known now."""
    await call.find("viewer", "component", find_component, component_id)
    async with call.read() as conn:
        return await handlers.find_end(conn, await store.select_seen(conn, component_id, datetime.now(UTC)))


@router.get("/ends-of-life")
async def list_ends(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    type: ComponentType | None = None,
    ground: Ground | None = None,
    since: Annotated[date | None, Query(description="that day or later")] = None,
    before: date | None = None,
    asset_id: Annotated[list[Id] | None, Query(max_length=200, description="of these alone")] = None,
) -> Page[ComponentEnd]:
    """The ends of your components in use, as they were seen today: the first to end first, the unknown last."""
    chosen = Selection(call.caller.sites("viewer"), site_id, type, ground, before, since=since, asset_ids=asset_id)
    async with call.read() as conn:
        found = await store.select_ends(conn, chosen, _place(paging), paging.limit + 1)
    return paging.page(found, lambda end: f"{end.on or ''}/{end.asset_id}")


@router.get("/ends-of-life/budget")
async def list_budget(
    call: Annotated[Call, requires("viewer")],
    site_id: SiteId | None = None,
    type: ComponentType | None = None,
    first_month: Annotated[int, Query(ge=1, le=12, description="with which the budget year begins")] = 1,
) -> Page[BudgetLine]:
    """What must be replaced, by budget year. A year is named by the calendar year in which it ends."""
    chosen = Selection(call.caller.sites("viewer"), site_id, type)
    async with call.read() as conn:
        return Page(items=await store.select_budget(conn, chosen, first_month, datetime.now(UTC)), next=None)


@router.get("/end-rules")
async def list_rules(call: Annotated[Call, requires("viewer")]) -> Page[TypeRule]:
    """What ends the life of each type of components."""
    async with call.read() as conn:
        return Page(items=await handlers.find_rules(conn), next=None)


@router.get("/end-rules/{component_type}")
async def get_rule(component_type: ComponentType, call: Annotated[Call, requires("viewer")]) -> TypeRule:
    """What ends the life of components of a type, with the ETag that the next change must name."""
    async with call.read() as conn:
        return call.tag(await handlers.find_rule(conn, component_type))


@router.put("/end-rules/{component_type}")
async def set_rule(
    component_type: ComponentType, body: SetRule, call: Annotated[Call, requires("group-admin")], version: IfMatch
) -> TypeRule:
    """Sets the group's rule for a type; a built-in one has the version 0."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.set_rule, component_type, version, body.rule)


@router.get("/replacement-orders")
async def list_orders(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    type: ComponentType | None = None,
    state: OrderState | None = None,
    before: date | None = None,
) -> Page[ReplacementOrder]:
    """The orders that ends of life call for at your sites, the most urgent first."""
    chosen = Selection(call.caller.sites("viewer"), site_id, type, None, before, state)
    async with call.read() as conn:
        found = await store.select_orders(conn, chosen, _place(paging), paging.limit + 1)
    return paging.page(found, lambda order: f"{order.order_by}/{order.id}")


@router.get("/replacement-orders/{order_id}")
async def get_order(order_id: Id, call: Annotated[Call, requires("viewer")]) -> ReplacementOrder:
    """The order, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await call.find("viewer", "replacement order", store.select_order, order_id))


@router.put("/replacement-orders/{order_id}")
async def decide_order(
    order_id: Id, body: DecideOrder, call: Annotated[Call, requires("operator")], version: IfMatch
) -> ReplacementOrder:
    """Says that an order was placed, or that it is not wanted before a day."""
    await call.find("operator", "replacement order", store.select_order, order_id)
    return await call.run(
        handlers.decide_order, order_id, version, body.state, body.reference, body.waived_until, body.reason
    )


def _place(paging: PageRequest) -> Place | None:
    """Behind which day and id a page begins; behind no day at all where what it has is without one."""
    if paging.after is None:
        return None
    day, slash, id_ = paging.after.partition("/")
    try:
        if not slash:
            raise ValueError
        return (date.fromisoformat(day) if day else None), id_
    except ValueError as exc:
        raise Malformed(
            "cursor", "must be a cursor that an answer has named as next", "2029-03-31/0198c1f2-6d1c-7a53-9d1f"
        ) from exc
