"""Targets over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from services.probes.history.handlers import find_last_results
from services.probes.targets import store
from services.probes.targets.domain import Target
from shared.events import SiteId
from shared.http import Call, Page, Paging, requires

router = APIRouter(prefix="/v1/targets", tags=["targets"])


@router.get("")
async def list_targets(
    call: Annotated[Call, requires("viewer")], paging: Paging, site_id: SiteId | None = None
) -> Page[Target]:
    """The DICOM nodes of your sites and what else has checks, whether each is probed, and what was seen last."""
    async with call.read() as conn:
        found = await store.select_targets(conn, call.caller.sites("viewer"), site_id, paging.after, paging.limit + 1)
        last = await find_last_results(conn, [target.id for target in found])
    targets = [target.model_copy(update={"last": last.get(target.id, [])}) for target in found]
    return paging.page(targets, lambda target: target.id)
