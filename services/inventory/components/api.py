"""Components over HTTP."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict, Field

from services.inventory.assets.domain import Component, FieldValue
from services.inventory.components import handlers, store
from services.inventory.components.domain import DRAFT, BulkResult, ComponentChange, ComponentDraft, search_words
from services.inventory.components.store import Selection
from services.inventory.fields.domain import value_from_text
from services.inventory.fields.handlers import fields_of
from services.inventory.groups.handlers import sites_inside
from shared.bulk import Rows
from shared.database import Connection
from shared.errors import Malformed
from shared.events import SiteId
from shared.events.inventory import ComponentType, LifecycleState
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Day, Id, Line

router = APIRouter(prefix="/v1/components", tags=["components"])

FieldFilter = Annotated[str, Field(max_length=300)]


class ComponentRows(Body):
    """Components to be made, each as POST takes it, or changed, each as PUT takes it with its id and version."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rows": [DRAFT]}]})

    rows: Rows


@dataclass(frozen=True)
class Filter:
    """What a list is asked for. ``plain`` are facts that a component has or has not, under the names of a selection."""

    site_id: str | None
    group_id: str | None
    fields: list[str]
    q: str | None
    plain: dict[str, Any]


# A coroutine, although it awaits nothing: any other dependency is sent to a thread and back.
async def _asked(
    site_id: SiteId | None = None,
    group_id: Id | None = None,
    type: ComponentType | None = None,
    state: LifecycleState | None = None,
    system_id: Id | None = None,
    installed_in: Id | None = None,
    manufacturer: Line | None = None,
    model: Line | None = None,
    product_id: Id | None = None,
    serial: Line | None = None,
    asset_tag: Line | None = None,
    software_version: Line | None = None,
    purchased_after: Day | None = None,
    purchased_before: Day | None = None,
    field: Annotated[list[FieldFilter] | None, Query(max_length=20)] = None,
    q: Line | None = None,
) -> Filter:
    """``field`` is a custom field and its value, ``rack_units:4``, and needs a type."""
    plain: dict[str, Any] = {
        **{"type": type, "state": state, "system_id": system_id, "installed_in": installed_in},
        **{"manufacturer": manufacturer, "model": model, "product_id": product_id, "serial": serial},
        **{"asset_tag": asset_tag, "software_version": software_version},
        **{"purchased_after": purchased_after, "purchased_before": purchased_before},
    }
    return Filter(site_id, group_id, field or [], q, plain)


@router.post("", status_code=201)
async def register_component(body: ComponentDraft, call: Annotated[Call, requires("operator")]) -> Component:
    """Registers a component of a site."""
    return await call.run(handlers.register_component, body, call.caller)


@router.post("/bulk")
async def put_components(
    body: ComponentRows, call: Annotated[Call, requires("operator")], atomic: bool = False
) -> BulkResult:
    """Registers and changes many components; with ``atomic`` one row that is refused stops them all.

    Of each row it says what became of it. A row with an ``id`` changes that component and names the ``version`` that
    it was seen with.
    """
    return await call.run(handlers.put_bulk, body.rows, call.caller, atomic)


@router.get("")
async def list_components(
    call: Annotated[Call, requires("viewer")], paging: Paging, asked: Annotated[Filter, Depends(_asked)]
) -> Page[Component]:
    """The components of your sites; ``q`` are words of name, serial, tag, manufacturer, model or host."""
    async with call.read() as conn:
        chosen = await _selection(conn, call, asked)
        found = await store.select_components(conn, chosen, paging.after, paging.limit + 1)
    return paging.page(found, lambda component: component.id)


@router.get("/{component_id}")
async def get_component(component_id: Id, call: Annotated[Call, requires("viewer")]) -> Component:
    """The component, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await call.find("viewer", "component", store.select_component, component_id))


@router.put("/{component_id}")
async def change_component(
    component_id: Id, body: ComponentChange, call: Annotated[Call, requires("operator")], version: IfMatch
) -> Component:
    """Changes a component: all about it but its site, type and state."""
    return await call.run(handlers.change_component, component_id, version, body, call.caller)


async def _selection(conn: Connection, call: Call, asked: Filter) -> Selection:
    sites = None if asked.site_id is None else {asked.site_id}
    if asked.group_id is not None:
        grouped = set(await sites_inside(conn, asked.group_id))
        sites = grouped if sites is None else sites & grouped
    return Selection(
        visible=call.caller.sites("viewer"),
        sites=sites,
        fields=await _field_values(conn, asked),
        words=search_words(asked.q) if asked.q is not None else (),
        **asked.plain,
    )


async def _field_values(conn: Connection, asked: Filter) -> dict[str, FieldValue] | None:
    if not asked.fields:
        return None
    if asked.plain["type"] is None:
        raise Malformed("type", "must be given with field, which belongs to a type", "server")
    known = {field.name: field for field in await fields_of(conn, asked.plain["type"])}
    values = {}
    for pair in asked.fields:
        name, separator, text = pair.partition(":")
        if not separator or name not in known:
            raise Malformed("field", f"must be name:value with a name of {', '.join(known) or 'none'}", "rack_units:4")
        values[name] = value_from_text(known[name], text)
    return values
