"""Links over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from services.inventory.assets.handlers import find_asset
from services.inventory.links import handlers, store
from services.inventory.links.domain import BulkResult, Impact, Link, LinkDraft, LinkRows
from services.inventory.links.store import Selection
from shared.events import SiteId
from shared.events.inventory import LinkKind
from shared.grants import Role
from shared.http import Call, IfMatch, Page, Paging, requires
from shared.resource import Id

router = APIRouter(prefix="/v1", tags=["links"])


@router.post("/links", status_code=201)
async def create_link(body: LinkDraft, call: Annotated[Call, requires("operator")]) -> Link:
    """Adds a link. 409 names the path where what needs what would run in a circle."""
    return await call.run(handlers.create_link, body, call.caller)


@router.post("/links/bulk")
async def create_links(body: LinkRows, call: Annotated[Call, requires("operator")], atomic: bool = False) -> BulkResult:
    """Adds many links, and says of each row what became of it; with ``atomic`` one that is refused stops them all."""
    return await call.run(handlers.create_links, body.rows, call.caller, atomic)


@router.get("/links")
async def list_links(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    kind: LinkKind | None = None,
    asset_id: Id | None = None,
) -> Page[Link]:
    """The links between assets of your sites."""
    return await _list(call, paging, Selection(call.caller.sites("viewer"), site_id, kind, asset_id))


@router.get("/links/{link_id}")
async def get_link(link_id: Id, call: Annotated[Call, requires("viewer")]) -> Link:
    """The link, with the ETag that taking it away must name; 404 also where an end of it is not yours to see."""
    return call.tag(await _find(call, "viewer", link_id))


@router.delete("/links/{link_id}")
async def delete_link(link_id: Id, call: Annotated[Call, requires("operator")], version: IfMatch) -> Link:
    """Takes a link away; the answer shows it a last time."""
    await _find(call, "operator", link_id)
    return await call.run(handlers.delete_link, link_id, version)


@router.get("/assets/{asset_id}/links")
async def list_links_of_asset(
    asset_id: Id, call: Annotated[Call, requires("viewer")], paging: Paging, kind: LinkKind | None = None
) -> Page[Link]:
    """The links from and to an asset."""
    await call.find("viewer", "asset", find_asset, asset_id)
    return await _list(call, paging, Selection(call.caller.sites("viewer"), kind=kind, asset_id=asset_id))


@router.get("/assets/{asset_id}/impact")
async def get_impact(asset_id: Id, call: Annotated[Call, requires("viewer")]) -> Impact:
    """What falls when the asset falls: all that needs it, over however many steps, with the distance."""
    await call.find("viewer", "asset", find_asset, asset_id)
    async with call.read() as conn:
        return await handlers.find_impact(conn, asset_id)


async def _list(call: Call, paging: Paging, chosen: Selection) -> Page[Link]:
    async with call.read() as conn:
        found = await store.select_links(conn, chosen, paging.after, paging.limit + 1)
    return paging.page(found, lambda link: link.id)


async def _find(call: Call, role: Role, link_id: str) -> Link:
    link = await call.find(role, "link", store.select_link, link_id)
    call.caller.require("viewer", link.to_site_id, f"link {link_id}")
    return link
