"""Search over HTTP. An auditor finds the events of his sites; those of the whole group take a group-wide auditor."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Response
from fastapi import Query as Parameter
from pydantic import StringConstraints

from services.compliance.search import handlers
from services.compliance.search.domain import (
    AuditedEvent,
    Counts,
    Cursor,
    Days,
    Dimension,
    EventPage,
    Order,
    PageAsked,
    Query,
    Span,
    parse_outcomes,
)
from services.compliance.search.flow import Flow, build_tree
from services.compliance.search.handlers import read_recorded
from shared.errors import Malformed, NotFound
from shared.events import SiteId
from shared.http import Call, Paging, requires
from shared.http.pages import PageRequest
from shared.resource import Moment

router = APIRouter(prefix="/v1", tags=["events"])

MAX_INDEX = 2**63 - 1
MAX_PAGE = 500
MAX_TYPES = 100
MAX_COUNTS = 10_000
MIN_TEXT = 3
ROUTINE = "probe.result"
JSON = "application/json"

Text = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f]+$")]
Texts = Annotated[frozenset[Text], Parameter(max_length=MAX_TYPES)]
From = Annotated[Moment | None, Parameter(alias="from")]
To = Annotated[Moment | None, Parameter(alias="to")]
Auditing = Annotated[Call, requires("auditor")]
Given = Annotated[handlers.Given, Depends(handlers.given_in)]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events are sought, by the parameters that a search and an export share."""

    start: datetime | None
    end: datetime | None
    sought: Query


# A coroutine, although it awaits nothing: any other dependency is sent to a thread and back.
async def filters_in(
    site_id: SiteId | None = None,
    type: Texts = frozenset(),
    not_type: Texts = frozenset(),
    subject: Text | None = None,
    actor: Text | None = None,
    outcome: Texts = frozenset(),
    correlation_id: Text | None = None,
    from_time: From = None,
    to_time: To = None,
) -> Filters:
    """What of a request's parameters says which events. For routes: ``filters: Filtered``."""
    sought = Query(
        site_id=site_id,
        types=type or None,
        not_types=not_type,
        subject=subject,
        actor=actor,
        outcomes=parse_outcomes(outcome) or None,
        correlation_id=correlation_id,
    )
    return Filters(from_time, to_time, sought)


Filtered = Annotated[Filters, Depends(filters_in)]


@router.get("/events", response_model=EventPage)
async def search_events(
    call: Auditing,
    given: Given,
    paging: Paging,
    filters: Filtered,
    text: Annotated[Text | None, Parameter(min_length=MIN_TEXT)] = None,
    order: Order = "desc",
    proofs: bool = False,
) -> Response:
    """The events that have all that is asked for, by the time of the event, the newest first.

    ``from`` is included, ``to`` is not. ``type``, ``not_type`` and ``outcome`` may be given several times. ``text``
    stands somewhere in the event as it was sent, whatever its case; some 10,000 entries that meet the rest are looked
    through for it at a time, so a page may come with few items or none, and a ``next``. With ``proofs=true`` each entry
    comes with its inclusion proof under ``checkpoint``.
    """
    site_id = _own(call, filters.sought.site_id)
    asked = _asked(paging, Span.between(filters.start, filters.end), order, proofs)
    reading = handlers.find_page(call, replace(filters.sought, text=text), asked)
    page = await read_recorded(call, "query", given, reading, site_id)
    return Response(page.answer(asked), media_type=JSON)


@router.get("/events/counts")
async def count_events(
    call: Auditing,
    given: Given,
    by: Annotated[str, Parameter(max_length=20, examples=["type,day"])] = "type",
    site_id: SiteId | None = None,
    type: Texts = frozenset(),
    not_type: Texts = frozenset(),
    from_time: From = None,
    to_time: To = None,
) -> Counts:
    """How many events there are by ``type``, ``day`` and ``site``, or several of these with commas between them.

    Whole days (UTC) are counted: for a ``from`` or a ``to`` within a day all of that day, and ``is_exact`` says so.
    """
    query = Query(site_id=_own(call, site_id), types=type or None, not_types=not_type)
    dimensions = _dimensions(by)
    days = Days.of(from_time, to_time)
    reading = handlers.count(call, query, dimensions, days, MAX_COUNTS + 1)
    items = await read_recorded(call, "counts", given, reading, site_id)
    if len(items) > MAX_COUNTS:
        raise Malformed("by", f"gives more than {MAX_COUNTS} numbers; ask for a shorter time or one site", "type")
    return Counts(items=items, first_day=days.first, last_day=days.last, is_exact=days.is_exact)


@router.get("/events/{index}", response_model=AuditedEvent)
async def get_event(call: Auditing, given: Given, index: Annotated[int, Path(ge=0, le=MAX_INDEX)]) -> Response:
    """One event by the index of its entry. One of a site that is not yours does not exist."""
    found = await read_recorded(call, "event", given, handlers.find_one(call, index))
    return Response(msgspec.json.encode(found), media_type=JSON)


@router.get("/assets/{asset_id}/life", response_model=EventPage)
async def tell_life(
    call: Auditing,
    given: Given,
    paging: Paging,
    asset_id: Annotated[Text, Path()],
    type: Texts = frozenset(),
    not_type: Texts = frozenset(),
    from_time: From = None,
    to_time: To = None,
    order: Order = "asc",
    probes: bool = False,
    proofs: bool = False,
) -> Response:
    """All that happened to an asset, from the first on: the events about it, and those that name it beside others.

    The results of its probes are left out unless ``probes=true``.
    """
    left_out = not_type if probes or ROUTINE in type else not_type | {ROUTINE}
    asked = _asked(paging, Span.between(from_time, to_time), order, proofs)
    reading = handlers.find_page(call, Query(about=asset_id, types=type or None, not_types=left_out), asked)
    page = await read_recorded(call, "life", given, reading)
    if not page.found.items and len(given) == 1:
        raise NotFound(f"no asset {asset_id}")
    return Response(page.answer(asked), media_type=JSON)


@router.get("/flows/{correlation_id:path}", response_model=Flow)
async def show_flow(call: Auditing, given: Given, correlation_id: Annotated[Text, Path()]) -> Response:
    """All that followed from one request, each entry under the one that caused it.

    A flow of more than 1,000 entries is cut off behind these, and ``is_complete`` says so; the search for its
    ``correlation_id`` gives all.
    """
    page = await read_recorded(call, "flow", given, handlers.find_flow(call, correlation_id))
    if not page.found.items:
        raise NotFound(f"no flow {correlation_id}")
    flow = {
        "correlation_id": correlation_id,
        "entries": build_tree(page.found.items),
        "is_complete": page.found.rest is None,
        "checkpoint": page.checkpoint,
    }
    return Response(msgspec.json.encode(flow), media_type=JSON)


def _own(call: Call, site_id: str | None) -> str | None:
    """The site, if the caller may see it. Raises NotFound, Forbidden."""
    if site_id is not None:
        call.caller.require("auditor", site_id)
    return site_id


def _asked(paging: PageRequest, span: Span, order: Order, proofs: bool) -> PageAsked:
    cursor = None if paging.after is None else Cursor.parse(paging.after)
    return PageAsked(span, cursor, order, min(paging.limit, MAX_PAGE), proofs)


def _dimensions(by: str) -> list[Dimension]:
    names: dict[str, Dimension] = {"day": "day", "type": "type", "site": "site"}
    if not set(by.split(",")) <= names.keys():
        raise Malformed("by", f"must be {', '.join(names)}, or several of these with commas between them", "type,day")
    return [names[name] for name in dict.fromkeys(by.split(","))]
