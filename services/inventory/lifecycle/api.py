"""The lifecycle over HTTP."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from services.inventory.assets.domain import Asset
from services.inventory.assets.handlers import find_asset
from services.inventory.lifecycle import handlers, store
from services.inventory.lifecycle.domain import Decision, GateClosed, Gates, Transition
from shared.events.inventory import LifecycleState
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Prose

router = APIRouter(prefix="/v1/assets/{asset_id}", tags=["lifecycle"])


class MoveAsset(Body):
    """The state that an asset is to move to, and why."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"to": "retiring", "reason": "Replaced by Archive Two in March"}]}
    )

    to: LifecycleState
    reason: Annotated[Prose, Field(min_length=1)]


@router.post("/transitions")
async def move_asset(
    asset_id: Id, body: MoveAsset, call: Annotated[Call, requires("operator")], version: IfMatch
) -> Asset:
    """Moves an asset to another state; answers with the asset as it is then, or 409 with what is missing."""
    await call.find("operator", "asset", find_asset, asset_id)
    try:
        return await call.run(handlers.move_asset, asset_id, version, body.to, body.reason)
    except GateClosed as refused:
        # Its own transaction: the one of the move is undone. Without the key, which stands for a move that was made.
        await replace(call, key=None).run(handlers.keep_refusal, refused.decision)
        raise


@router.get("/transitions")
async def list_transitions(asset_id: Id, call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Transition]:
    """The moves that an asset has made, oldest first."""
    async with call.read() as conn:
        asset = await find_asset(conn, asset_id)
        call.caller.require("viewer", asset.site_id, f"asset {asset_id}")
        found = await store.select_transitions(conn, asset_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda made: made.id)


@router.get("/decisions")
async def list_decisions(asset_id: Id, call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Decision]:
    """How each attempt to move an asset was judged, refused ones too, by which policy and evidence; oldest first."""
    await call.find("viewer", "asset", find_asset, asset_id)
    async with call.read() as conn:
        found = await store.select_decisions(conn, asset_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda made: made.id)


@router.get("/gates")
async def get_gates(asset_id: Id, call: Annotated[Call, requires("viewer")]) -> Gates:
    """For each move that may come next: what is there, by which evidence, and what is missing and how to get it."""
    async with call.read() as conn:
        asset = await find_asset(conn, asset_id)
        call.caller.require("viewer", asset.site_id, f"asset {asset_id}")
        return await handlers.gates_of(conn, asset, datetime.now(UTC))
