"""Patches over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict

from services.maintenance.changes import handlers, store
from services.maintenance.changes.domain import Patch
from services.maintenance.fleet import handlers as fleet
from shared.events import SiteId
from shared.http import Body, Call, Page, Paging, requires
from shared.resource import Id, Line, Moment, Prose

router = APIRouter(prefix="/v1/patches", tags=["patches"])


class RecordPatch(Body):
    """A patch that was applied, now unless ``applied_at`` says when. Inventory takes the version over."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "system_id": "0199c3f2-7a51-7c3e-9d55-3f1f2f6f8a10",
                    "to_version": "12.4",
                    "applied_at": "2026-03-01T22:40:00Z",
                    "summary": "Vendor fix for slow retrieval.",
                }
            ]
        }
    )

    system_id: Id
    to_version: Line
    applied_at: Moment | None = None
    summary: Prose


@router.post("", status_code=201)
async def record_patch(body: RecordPatch, call: Annotated[Call, requires("operator")]) -> Patch:
    """Records a patch on a system."""
    await call.find("operator", "system", fleet.find_system, body.system_id)
    return await call.run(handlers.record_patch, body.system_id, body.to_version, body.applied_at, body.summary)


@router.get("")
async def list_patches(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    system_id: Id | None = None,
) -> Page[Patch]:
    """The patches of your sites, in the order in which they were recorded."""
    visible = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_patches(conn, visible, site_id, system_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda patch: patch.id)


@router.get("/{patch_id}")
async def get_patch(patch_id: Id, call: Annotated[Call, requires("viewer")]) -> Patch:
    """The patch as it was recorded; 404 also where it is not yours to see."""
    return call.tag(await call.find("viewer", "patch", store.select_patch, patch_id))
