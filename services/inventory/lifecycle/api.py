"""The lifecycle over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from services.inventory.assets.domain import Asset
from services.inventory.assets.handlers import find_asset
from services.inventory.lifecycle import handlers, store
from services.inventory.lifecycle.domain import Transition
from shared.events.inventory import LifecycleState
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Prose

router = APIRouter(prefix="/assets/{asset_id}/transitions", tags=["lifecycle"])


class MoveAsset(Body):
    """The state that an asset is to move to, and why."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"to": "retiring", "reason": "Replaced by Archive Two in March"}]}
    )

    to: LifecycleState
    reason: Annotated[Prose, Field(min_length=1)]


@router.post("")
async def move_asset(
    asset_id: Id, body: MoveAsset, call: Annotated[Call, requires("operator")], version: IfMatch
) -> Asset:
    """Moves an asset to another state; answers with the asset as it is then."""
    await call.find("operator", "asset", find_asset, asset_id)
    return await call.run(handlers.move_asset, asset_id, version, body.to, body.reason)


@router.get("")
async def list_transitions(asset_id: Id, call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Transition]:
    """The moves that an asset has made, oldest first."""
    async with call.read() as conn:
        asset = await find_asset(conn, asset_id)
        call.caller.require("viewer", asset.site_id, f"asset {asset_id}")
        found = await store.select_transitions(conn, asset_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda made: made.id)
