"""Groups over HTTP. Whoever may see any site sees them; a grant for the whole group is needed to change one."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict

from services.inventory.groups import handlers, store
from services.inventory.groups.domain import Group
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Line

router = APIRouter(prefix="/v1/groups", tags=["groups"])


class GroupBody(Body):
    """A group of sites, in another one or at the top."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Western region", "parent_id": None}]})

    name: Line
    parent_id: Id | None = None


@router.post("", status_code=201)
async def create_group(body: GroupBody, call: Annotated[Call, requires("group-admin")]) -> Group:
    """Adds a group."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.create_group, body.name, body.parent_id)


@router.get("")
async def list_groups(
    call: Annotated[Call, requires("viewer")], paging: Paging, parent_id: Id | None = None
) -> Page[Group]:
    """All groups, or those directly in one."""
    async with call.read() as conn:
        found = await store.select_groups(conn, parent_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda group: group.id)


@router.get("/{group_id}")
async def get_group(group_id: Id, call: Annotated[Call, requires("viewer")]) -> Group:
    """The group, with the ETag that its next change must name."""
    async with call.read() as conn:
        return call.tag(await store.select_group(conn, group_id))


@router.put("/{group_id}")
async def change_group(
    group_id: Id, body: GroupBody, call: Annotated[Call, requires("group-admin")], version: IfMatch
) -> Group:
    """Renames a group, or moves it into another one or to the top."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.change_group, group_id, version, body.name, body.parent_id)


@router.delete("/{group_id}")
async def delete_group(group_id: Id, call: Annotated[Call, requires("group-admin")], version: IfMatch) -> Group:
    """Takes a group away that neither sites nor groups are in; the answer shows it a last time."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.delete_group, group_id, version)
