"""Protection sets over HTTP."""

import asyncio
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict

from services.backup.sets import handlers, store
from services.backup.sets.domain import Engine, ProtectionSet, Repository
from services.backup.sets.roots import Roots
from shared.events.backup import Scope
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id


class CreateSet(Body):
    """What of a system is protected, and where its copies go."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "system_id": "0199d6a0-7c3e-7a51-9f0e-6a1c52d7b001",
                    "scope": "archive",
                    "engine": "restic",
                    "path": "/srv/archive/north",
                    "repository": "north-archive",
                }
            ]
        }
    )

    system_id: Id
    scope: Scope
    engine: Engine = "restic"
    path: str
    repository: Repository


class ChangeSet(Body):
    """All that can change about a protection set."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"path": "/srv/archive/north-2", "repository": "north-archive"}]}
    )

    path: str
    repository: Repository


def sets_router(roots: Roots) -> APIRouter:
    """The routes of protection sets whose paths lie below ``roots``."""
    router = APIRouter(prefix="/v1/sets", tags=["protection sets"])

    @router.post("", status_code=201)
    async def create_set(body: CreateSet, call: Annotated[Call, requires("site-admin")]) -> ProtectionSet:
        """Protects a folder of a system."""
        await call.find("site-admin", "system", store.select_system, body.system_id)
        path = await asyncio.to_thread(roots.resolve, body.path)
        return await call.run(handlers.create_set, body.system_id, body.scope, body.engine, path, body.repository)

    @router.get("")
    async def list_sets(call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[ProtectionSet]:
        """The protection sets of your sites."""
        async with call.read() as conn:
            found = await store.select_sets(conn, call.caller.sites("viewer"), paging.after, paging.limit + 1)
        return paging.page(found, lambda item: item.id)

    @router.get("/{set_id}")
    async def get_set(set_id: Id, call: Annotated[Call, requires("viewer")]) -> ProtectionSet:
        """The set, with the ETag that its next change must name; 404 also where it is not yours to see."""
        return call.tag(await call.find("viewer", "protection set", store.select_set, set_id))

    @router.put("/{set_id}")
    async def change_set(
        set_id: Id, body: ChangeSet, call: Annotated[Call, requires("site-admin")], version: IfMatch
    ) -> ProtectionSet:
        """Changes what a set copies, or where to."""
        await call.find("site-admin", "protection set", store.select_set, set_id)
        path = await asyncio.to_thread(roots.resolve, body.path)
        return await call.run(handlers.change_set, set_id, version, path, body.repository)

    return router
