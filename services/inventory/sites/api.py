"""Sites over HTTP."""

from typing import Annotated, cast

from fastapi import APIRouter
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from services.inventory.assets.domain import Host
from services.inventory.groups.handlers import sites_inside
from services.inventory.sites import handlers, store
from services.inventory.sites.domain import Place, Site
from shared.events import SiteId
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Line

router = APIRouter(prefix="/v1/sites", tags=["sites"])


EXAMPLE: JsonDict = {
    "name": "Northfield General Hospital",
    "time_zone": "Europe/Berlin",
    "latitude": 54.7833,
    "longitude": 9.4333,
    "gateway": "10.20.0.1",
    "address": "1 Harbour Road, Northfield",
}
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class ChangeSite(Body):
    """All that can change about a site. Of its place, what is left out stays as it is; null takes it away."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Line
    time_zone: Line
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    gateway: Host | None = Field(default=None, description="the host one hop up, asked when a whole site is silent")
    group_id: Id | None = None
    address: Line | None = None

    def place(self) -> Place:
        """What was said of where it is."""
        return cast(Place, self.model_dump(include=set(Place.__annotations__), exclude_unset=True))


class RegisterSite(ChangeSite):
    """A hospital that joins the group. The id is its short name for ever: in URLs, tokens and the audit log."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "north", **EXAMPLE}]})

    id: SiteId


@router.post("", status_code=201)
async def register_site(body: RegisterSite, call: Annotated[Call, requires("group-admin")]) -> Site:
    """Registers a site."""
    call.caller.require("group-admin", body.id)
    return await call.run(handlers.register_site, body.id, body.name, body.time_zone, body.place())


@router.get("")
async def list_sites(
    call: Annotated[Call, requires("viewer")], paging: Paging, group_id: Id | None = None
) -> Page[Site]:
    """The sites that you may see, all or those of a group and of the groups in it."""
    async with call.read() as conn:
        chosen = None if group_id is None else await sites_inside(conn, group_id)
        found = await store.select_sites(conn, call.caller.sites("viewer"), chosen, paging.after, paging.limit + 1)
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
    return await call.run(handlers.change_site, site_id, version, body.name, body.time_zone, body.place())
