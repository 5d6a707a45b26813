"""The page of components over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.console.components.domain import Chosen, put_together
from services.console.components.rest import ask
from services.console.pages import page
from services.console.rest import StewardApi
from services.console.sign_in.visitor import SIGNED_IN, Visitor

router = APIRouter()


@router.get("/components")
async def show_components(
    request: Request,
    visitor: Annotated[Visitor, SIGNED_IN],
    q: Annotated[str, Query(max_length=200)] = "",
    site_id: Annotated[str, Query(max_length=64)] = "",
    components: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The components of the visitor's sites that have all the words, or all of them."""
    now = datetime.now(UTC)
    chosen = Chosen(q.strip() or None, site_id or None)
    api: StewardApi = request.app.state.api
    async with api.asking(visitor.token) as asking:
        view = put_together(*await ask(asking, chosen, components))
    is_later, name = components is not None, visitor.caller.name
    return page("components.html", view=view, chosen=chosen, is_later=is_later, now=now, zone=UTC, name=name)
