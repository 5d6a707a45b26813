"""Recyclers over HTTP: seen by all, changed for the whole group."""

from typing import Annotated

from fastapi import APIRouter

from services.inventory.recyclers import handlers, store
from services.inventory.recyclers.domain import Recycler, RecyclerDetails
from shared.http import Call, IfMatch, Page, Paging, requires
from shared.resource import Id

router = APIRouter(prefix="/v1/recyclers", tags=["recyclers"])


@router.post("", status_code=201)
async def register_recycler(body: RecyclerDetails, call: Annotated[Call, requires("group-admin")]) -> Recycler:
    """Registers a recycler with its certificates."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.register_recycler, body)


@router.get("")
async def list_recyclers(call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Recycler]:
    """The recyclers that the group works with."""
    async with call.read() as conn:
        found = await store.select_recyclers(conn, paging.after, paging.limit + 1)
    return paging.page(found, lambda recycler: recycler.id)


@router.get("/{recycler_id}")
async def get_recycler(recycler_id: Id, call: Annotated[Call, requires("viewer")]) -> Recycler:
    """The recycler, with the ETag that its next change must name."""
    async with call.read() as conn:
        return call.tag(await store.select_recycler(conn, recycler_id))


@router.put("/{recycler_id}")
async def change_recycler(
    recycler_id: Id, body: RecyclerDetails, call: Annotated[Call, requires("group-admin")], version: IfMatch
) -> Recycler:
    """Changes a recycler, mostly because it has a new certificate."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.change_recycler, recycler_id, version, body)
