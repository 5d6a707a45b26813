"""Targets over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from services.probes.targets import store
from services.probes.targets.domain import Target
from shared.events import SiteId
from shared.http import Call, Page, Paging, requires

router = APIRouter(prefix="/targets", tags=["targets"])


@router.get("")
async def list_targets(
    call: Annotated[Call, requires("viewer")], paging: Paging, site_id: SiteId | None = None
) -> Page[Target]:
    """The DICOM nodes of your sites, and whether they are probed."""
    async with call.read() as conn:
        found = await store.select_targets(conn, call.caller.sites("viewer"), site_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda target: target.id)
