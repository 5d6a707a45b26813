"""Results of probes over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from services.probes.history import store
from services.probes.history.domain import Result
from shared.http import Call, Page, Paging, requires
from shared.resource import Id

router = APIRouter(prefix="/v1/results", tags=["results"])


@router.get("")
async def list_results(
    call: Annotated[Call, requires("viewer")], paging: Paging, subject: Id | None = None
) -> Page[Result]:
    """What the probes of your sites saw, the latest first; ``subject`` is the asset to show alone."""
    async with call.read() as conn:
        found = await store.select_results(conn, call.caller.sites("viewer"), subject, paging.after, paging.limit + 1)
    return paging.page(found, lambda result: result.id)
