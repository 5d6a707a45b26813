"""The page of ends of life over HTTP."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.console.endoflife.domain import Chosen, budget_year_of, put_together
from services.console.endoflife.rest import Places, ask
from services.console.pages import page
from services.console.rest import StewardApi
from services.console.sign_in.visitor import SIGNED_IN, Visitor

router = APIRouter()

Cursor = Annotated[str | None, Query(max_length=200)]
Month = Annotated[int, Query(ge=1, le=12)]
Year = Annotated[int | None, Query(ge=1971, le=2199)]


@router.get("/ends-of-life")
async def show_ends(
    request: Request,
    visitor: Annotated[Visitor, SIGNED_IN],
    site_id: Annotated[str, Query(max_length=64)] = "",
    first_month: Month = 1,
    year: Year = None,
    ended: bool = False,
    state: Literal["due", "ordered", "waived", "settled"] = "due",
    ends: Cursor = None,
    orders: Cursor = None,
) -> Response:
    """What must be replaced in which budget year, and the orders raised for it, as far as the visitor may see them."""
    now = datetime.now(UTC)
    wanted = None if ended else year or budget_year_of(now.date(), first_month)
    chosen = Chosen(site_id or None, first_month, wanted, state)
    api: StewardApi = request.app.state.api
    async with api.asking(visitor.token) as asking:
        answers = await ask(asking, chosen, Places(ends, orders), now.date())
    is_later = {"ends": ends is not None, "orders": orders is not None}
    view, name = put_together(answers, now), visitor.caller.name
    return page("ends.html", view=view, answers=answers, chosen=chosen, is_later=is_later, now=now, zone=UTC, name=name)
