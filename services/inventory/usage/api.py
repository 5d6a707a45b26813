"""Usage over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from services.inventory.assets.handlers import find_asset
from services.inventory.usage import handlers
from services.inventory.usage.domain import Usage
from shared.http import Body, Call, Page, requires
from shared.resource import Id, Line, Moment

router = APIRouter(prefix="/v1/assets/{asset_id}/usage", tags=["usage"])


class Reading(Body):
    """What somebody has read from an asset, now or ``at`` another time."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"counter": "power_on_hours", "value": 31245}]})

    counter: Line
    value: Annotated[float, Field(ge=0, le=1e18, allow_inf_nan=False)]
    at: Moment | None = None


@router.post("")
async def record_usage(asset_id: Id, body: Reading, call: Annotated[Call, requires("operator")]) -> Usage:
    """Keeps a reading. One that is older than what is known is refused: counters don't go back in time."""
    asset = await call.find("operator", "asset", find_asset, asset_id)
    return await call.run(handlers.record_usage, asset_id, asset.site_id, body.counter, body.value, body.at)


@router.get("")
async def list_usage(asset_id: Id, call: Annotated[Call, requires("viewer")]) -> Page[Usage]:
    """The newest value of each counter of an asset."""
    async with call.read() as conn:
        asset = await find_asset(conn, asset_id)
        call.caller.require("viewer", asset.site_id, f"asset {asset_id}")
        return Page(items=await handlers.usage_of(conn, asset_id), next=None)
