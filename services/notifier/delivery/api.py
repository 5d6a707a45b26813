"""The ledger over HTTP: who was told what, and what became of it."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.notifier.delivery import store
from services.notifier.delivery.domain import Delivery, DeliveryState, Notice, NoticeState
from shared.http import Call, Page, Paging, requires

router = APIRouter(prefix="/v1", tags=["delivery"])

About = Annotated[
    str | None, Query(description="the id of a window or an alert", max_length=200, pattern=r"^[\x21-\x7e]+$")
]


@router.get("/notices")
async def list_notices(
    call: Annotated[Call, requires("viewer")], paging: Paging, about: About = None, state: NoticeState | None = None
) -> Page[Notice]:
    """What people were and will be told, at the sites that you may see."""
    visible = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_notices(conn, visible, about, state, paging.after, paging.limit + 1)
    return paging.page(found, lambda notice: notice.id)


@router.get("/deliveries")
async def list_deliveries(
    call: Annotated[Call, requires("viewer")], paging: Paging, about: About = None, state: DeliveryState | None = None
) -> Page[Delivery]:
    """Each notice to each person, at the sites that you may see."""
    visible = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_deliveries(conn, visible, about, state, paging.after, paging.limit + 1)
    return paging.page(found, lambda delivery: delivery.id)
