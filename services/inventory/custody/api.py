"""Custody and disposal over HTTP."""

import re
from typing import Annotated

from fastapi import APIRouter

from services.inventory.assets.handlers import find_asset
from services.inventory.custody import handlers, store
from services.inventory.custody.disposal import Disposal, NewDisposal
from services.inventory.custody.domain import Custody, Link
from services.inventory.custody.handlers import Recorded
from shared.errors import Malformed
from shared.events import SiteId
from shared.http import Call, Page, Paging, requires
from shared.resource import Id

router = APIRouter(prefix="/v1", tags=["custody"])


@router.post("/custody", status_code=201)
async def record_custody(body: Link, call: Annotated[Call, requires("operator")]) -> Recorded:
    """Adds what happened to the chain of custody of each of the assets, or of none."""
    for asset_id in body.asset_ids:
        await call.find("operator", "asset", find_asset, asset_id)
    return await call.run(handlers.record_custody, body)


@router.get("/custody")
async def search_custody(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    recycler_id: Id | None = None,
) -> Page[Custody]:
    """The links of your sites' chains of custody in the order in which they were recorded."""
    async with call.read() as conn:
        found = await store.select_links(
            conn, call.caller.sites("viewer"), site_id, recycler_id, paging.after, paging.limit + 1
        )
    return paging.page(found, lambda link: link.id)


@router.get("/assets/{asset_id}/custody")
async def list_custody(asset_id: Id, call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Custody]:
    """The chain of custody of an asset, its first link first."""
    await call.find("viewer", "asset", find_asset, asset_id)
    async with call.read() as conn:
        found = await store.select_chain(conn, asset_id, _number(paging.after), paging.limit + 1)
    return paging.page(found, lambda link: str(link.number))


@router.post("/assets/{asset_id}/disposals", status_code=201)
async def record_disposal(asset_id: Id, body: NewDisposal, call: Annotated[Call, requires("operator")]) -> Disposal:
    """Adds a recycler's manifest, by serial number, of what it has picked up of a system or of a lone component."""
    await call.find("operator", "asset", find_asset, asset_id)
    return await call.run(handlers.record_disposal, asset_id, body)


@router.get("/assets/{asset_id}/disposals")
async def list_disposals(asset_id: Id, call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Disposal]:
    """The recyclers' manifests of an asset."""
    await call.find("viewer", "asset", find_asset, asset_id)
    async with call.read() as conn:
        found = await store.select_disposals(conn, asset_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda disposal: disposal.id)


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", cursor, re.ASCII):
        raise Malformed("cursor", "must be the `next` of an answer", "3")
    return int(cursor)
