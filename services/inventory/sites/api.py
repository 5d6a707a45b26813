"""Sites over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict

from services.inventory.sites import handlers, store
from services.inventory.sites.domain import Site
from shared.events import SiteId
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Line

router = APIRouter(prefix="/sites", tags=["sites"])


class RegisterSite(Body):
    """A hospital that joins the group. The id is its short name for ever: in URLs, tokens and the audit log."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "north", "name": "Northfield General Hospital", "time_zone": "Europe/Berlin"}]
        }
    )

    id: SiteId
    name: Line
    time_zone: Line


class ChangeSite(Body):
    """All that can change about a site."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Northfield University Hospital", "time_zone": "Europe/Berlin"}]}
    )

    name: Line
    time_zone: Line


@router.post("", status_code=201)
async def register_site(body: RegisterSite, call: Annotated[Call, requires("group-admin")]) -> Site:
    """Registers a site."""
    call.caller.require("group-admin", body.id)
    return await call.run(handlers.register_site, body.id, body.name, body.time_zone)


@router.get("")
async def list_sites(call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Site]:
    """The sites that you may see."""
    async with call.read() as conn:
        found = await store.select_sites(conn, call.caller.sites("viewer"), paging.after, paging.limit + 1)
    return paging.page(found, lambda site: site.id)


@router.get("/{site_id}")
async def get_site(site_id: SiteId, call: Annotated[Call, requires("viewer")]) -> Site:
    """The site, with the ETag that its next change must name; 404 also where it is not yours to see."""
    call.caller.require("viewer", site_id)
    async with call.read() as conn:
        return call.tag(await store.select_site(conn, site_id))


@router.put("/{site_id}")
async def change_site(
    site_id: SiteId, body: ChangeSite, call: Annotated[Call, requires("site-admin")], version: IfMatch
) -> Site:
    """Changes a site."""
    call.caller.require("site-admin", site_id)
    return await call.run(handlers.change_site, site_id, version, body.name, body.time_zone)
