"""The page of an asset over HTTP."""

import re
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.console.answers import One
from services.console.assets.domain import Asset, put_together
from services.console.assets.rest import Places, ask, find
from services.console.pages import page
from services.console.rest import StewardApi
from services.console.sign_in.visitor import SIGNED_IN, Visitor
from shared.resource import UUID

router = APIRouter()

Cursor = Annotated[str | None, Query(max_length=200)]


@router.get("/assets/{asset_id}")
async def show_asset(
    asset_id: str,
    request: Request,
    visitor: Annotated[Visitor, SIGNED_IN],
    nodes: Cursor = None,
    components: Cursor = None,
    changes: Cursor = None,
) -> Response:
    """All about one asset that the visitor may see; 404 where there is none, or none that is his to see."""
    now = datetime.now(UTC)
    api: StewardApi = request.app.state.api
    if not re.fullmatch(UUID, asset_id):
        return _without(One(is_absent=True), now, visitor)
    async with api.asking(visitor.token) as asking:
        found = await find(asking, asset_id)
        if found.item is None:
            return _without(found, now, visitor)
        answers = await ask(asking, found.item, Places(nodes, components, changes))
    view = put_together(answers, now)
    places = {"nodes": nodes, "components": components, "changes": changes}
    is_later = {name: cursor is not None for name, cursor in places.items()}
    name = visitor.caller.name
    return page("asset.html", view=view, answers=answers, now=now, zone=view.zone, name=name, is_later=is_later)


def _without(found: One[Asset], now: datetime, visitor: Visitor) -> Response:
    status = 404 if found.is_absent else 403 if found.is_denied else 503
    return page("no-asset.html", status, found=found, now=now, zone=UTC, name=visitor.caller.name)
