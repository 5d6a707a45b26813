"""Alerts over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from services.probes.alerts import store
from services.probes.alerts.domain import Alert
from shared.http import Call, Page, Paging, requires
from shared.resource import Id

router = APIRouter(prefix="/alerts", tags=["alerts"])


@router.get("")
async def list_alerts(
    call: Annotated[Call, requires("viewer")], paging: Paging, subject: Id | None = None, open: bool | None = None
) -> Page[Alert]:
    """The alerts of your sites, the latest first; ``open`` shows only those that are, or only those that are over."""
    sites = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_alerts(conn, sites, subject, open, paging.after, paging.limit + 1)
    return paging.page(found, lambda alert: alert.id)
