"""The overview over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.console.overview.domain import put_together
from services.console.overview.rest import ask
from services.console.pages import page
from services.console.rest import StewardApi
from services.console.sign_in.visitor import SIGNED_IN, Visitor

router = APIRouter()


@router.get("/")
async def show_overview(request: Request, visitor: Annotated[Visitor, SIGNED_IN]) -> Response:
    """What the visitor may see of all sites, now."""
    now = datetime.now(UTC)
    api: StewardApi = request.app.state.api
    async with api.asking(visitor.token) as asking:
        answers = await ask(asking, now)
    overview = put_together(answers, now)
    return page("overview.html", overview=overview, now=now, zone=UTC, name=visitor.caller.name)
