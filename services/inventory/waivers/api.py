"""Waivers over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from services.inventory.assets.handlers import find_asset
from services.inventory.policies.domain import KindId
from services.inventory.waivers import handlers, store
from services.inventory.waivers.domain import Waiver
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Moment, Prose

router = APIRouter(prefix="/v1", tags=["lifecycle"])

Reason = Annotated[Prose, Field(min_length=1, max_length=2000)]


class RequestWaiver(Body):
    """Which kind of evidence an asset is to go without, why, and until when."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "capacity_forecast",
                    "reason": "The vendor delivers the figures in April.",
                    "expires_at": "2026-04-30T22:00:00Z",
                }
            ]
        }
    )

    kind: KindId
    reason: Reason
    expires_at: Moment


class DecideWaiver(Body):
    """Why a waiver is approved, rejected or withdrawn."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The archive has room until then."}]})

    reason: Reason


@router.post("/assets/{asset_id}/waivers", status_code=201)
async def request_waiver(asset_id: Id, body: RequestWaiver, call: Annotated[Call, requires("operator")]) -> Waiver:
    """Asks for a waiver. It counts once an approver, who is somebody else, has approved it."""
    await call.find("operator", "asset", find_asset, asset_id)
    return await call.run(handlers.request_waiver, asset_id, body.kind, body.reason, body.expires_at)


@router.get("/assets/{asset_id}/waivers")
async def list_waivers(asset_id: Id, call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Waiver]:
    """The waivers of an asset, oldest first, whatever became of them."""
    await call.find("viewer", "asset", find_asset, asset_id)
    async with call.read() as conn:
        found = await store.select_page(conn, asset_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda waiver: waiver.id)


@router.get("/waivers/{waiver_id}")
async def get_waiver(waiver_id: Id, call: Annotated[Call, requires("viewer")]) -> Waiver:
    """The waiver, with the ETag that a decision on it must name."""
    return call.tag(await call.find("viewer", "waiver", handlers.find_waiver, waiver_id))


@router.post("/waivers/{waiver_id}/approval")
async def approve_waiver(
    waiver_id: Id, body: DecideWaiver, call: Annotated[Call, requires("approver")], version: IfMatch
) -> Waiver:
    """Approves a waiver that somebody else has asked for; from now on it counts, until it expires."""
    await call.find("approver", "waiver", handlers.find_waiver, waiver_id)
    return await call.run(handlers.decide_waiver, waiver_id, version, "approved", body.reason)


@router.post("/waivers/{waiver_id}/rejection")
async def reject_waiver(
    waiver_id: Id, body: DecideWaiver, call: Annotated[Call, requires("approver")], version: IfMatch
) -> Waiver:
    """Rejects a waiver that somebody else has asked for."""
    await call.find("approver", "waiver", handlers.find_waiver, waiver_id)
    return await call.run(handlers.decide_waiver, waiver_id, version, "rejected", body.reason)


@router.post("/waivers/{waiver_id}/withdrawal")
async def withdraw_waiver(
    waiver_id: Id, body: DecideWaiver, call: Annotated[Call, requires("operator")], version: IfMatch
) -> Waiver:
    """Takes a waiver back, approved or not; moves that it has allowed stay."""
    await call.find("operator", "waiver", handlers.find_waiver, waiver_id)
    return await call.run(handlers.withdraw_waiver, waiver_id, version, body.reason)
