"""Maintenance windows over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict

from services.maintenance.windows import handlers, store
from services.maintenance.windows.domain import Plan, State, Times, Window
from shared.events import SiteId
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Line, Moment

router = APIRouter(prefix="/v1/windows", tags=["windows"])


class NewTimes(Body):
    """When the window is to be instead. Of a started window only the end can be moved, and only to later."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"starts_at": "2027-03-02T22:00:00Z", "ends_at": "2027-03-03T01:00:00Z"}]}
    )

    starts_at: Moment
    ends_at: Moment


class Cancellation(Body):
    """Why the window will not take place; all who were told of it read this."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The vendor has withdrawn the fix."}]})

    reason: Line


@router.post("", status_code=201)
async def schedule_window(body: Plan, call: Annotated[Call, requires("operator")]) -> Window:
    """Puts a window into the calendar; the people of its site are told."""
    call.caller.require("operator", body.site_id)
    return await call.run(handlers.schedule_window, body)


@router.get("")
async def list_windows(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    state: State | None = None,
    ends_after: Annotated[Moment | None, Query(alias="from")] = None,
    starts_before: Annotated[Moment | None, Query(alias="to")] = None,
) -> Page[Window]:
    """The windows of your sites, in the order in which they were scheduled; `from` and `to` keep those between."""
    selection = store.Selection(call.caller.sites("viewer"), site_id, state, ends_after, starts_before)
    async with call.read() as conn:
        found = await store.select_windows(conn, selection, paging.after, paging.limit + 1)
    return paging.page(found, lambda window: window.id)


@router.get("/{window_id}")
async def get_window(window_id: Id, call: Annotated[Call, requires("viewer")]) -> Window:
    """The window as it stands, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await call.find("viewer", "window", store.select_window, window_id))


@router.put("/{window_id}/times")
async def reschedule_window(
    window_id: Id, body: NewTimes, call: Annotated[Call, requires("operator")], version: IfMatch
) -> Window:
    """Moves a window, or prolongs an open one."""
    await call.find("operator", "window", store.select_window, window_id)
    return await call.run(handlers.reschedule_window, window_id, version, Times(body.starts_at, body.ends_at))


@router.post("/{window_id}/cancellation")
async def cancel_window(
    window_id: Id, body: Cancellation, call: Annotated[Call, requires("operator")], version: IfMatch
) -> Window:
    """Calls a window off that has not started."""
    await call.find("operator", "window", store.select_window, window_id)
    return await call.run(handlers.cancel_window, window_id, version, body.reason)


@router.post("/{window_id}/end")
async def end_window(window_id: Id, call: Annotated[Call, requires("operator")], version: IfMatch) -> Window:
    """Closes an open window before its time."""
    await call.find("operator", "window", store.select_window, window_id)
    return await call.run(handlers.end_window, window_id, version)
