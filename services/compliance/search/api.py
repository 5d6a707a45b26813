"""Search over HTTP. An auditor finds the events of his sites; those of the whole group take a group-wide auditor."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Response
from fastapi import Query as Parameter
from pydantic import StringConstraints

from services.compliance.search import handlers
from services.compliance.search.domain import (
    Counts,
    Dimension,
    EventPage,
    PageAsked,
    Query,
    SingleEvent,
    parse_outcomes,
    tell_absence,
    tell_question,
)
from services.compliance.search.flow import Flow, build_tree
from services.compliance.search.handlers import read_recorded
from services.compliance.search.places import Cursor, Days, Order, Span
from shared.errors import Malformed, NotFound
from shared.events import SiteId
from shared.http import Call, requires
from shared.http.pages import PageRequest, paging_up_to
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
Paging = Annotated[PageRequest, paging_up_to(MAX_PAGE)]
Auditing = Annotated[Call, requires("auditor")]
Given = Annotated[handlers.Given, Depends(handlers.given_in)]


@dataclass(frozen=True, slots=True)
class Period:
    """A time, from ``start`` on, before ``end``; None is no bound."""

    start: datetime | None
    end: datetime | None

    @property
    def span(self) -> Span:
        """As places between which events are looked for."""
        return Span.between(self.start, self.end)


# A coroutine, although it awaits nothing: any other dependency is sent to a thread and back.
async def period_in(from_time: From = None, to_time: To = None) -> Period:
    """The time that a request names. For routes: ``period: Within``. Raises Malformed for one without a moment."""
    if from_time is not None and to_time is not None and from_time >= to_time:
        raise Malformed("to", "must be later than `from`", (from_time + timedelta(days=1)).isoformat())
    return Period(from_time, to_time)


Within = Annotated[Period, Depends(period_in)]


@dataclass(frozen=True, slots=True)
class Filters(Period):
    """Which events are sought, by the parameters that a search and an export share."""

    sought: Query


# A coroutine, although it awaits nothing: any other dependency is sent to a thread and back.
async def filters_in(
    period: Within,
    site_id: SiteId | None = None,
    type: Texts = frozenset(),
    not_type: Texts = frozenset(),
    subject: Text | None = None,
    actor: Text | None = None,
    outcome: Texts = frozenset(),
    correlation_id: Text | None = None,
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
    return Filters(period.start, period.end, sought)


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
    query = replace(filters.sought, text=text)
    asked = _asked(query, paging, filters.span, order, proofs)
    reading = handlers.find_page(call, query, asked)
    page = await read_recorded(call, "query", given, reading, site_id)
    return Response(page.answer(asked), media_type=JSON)


@router.get("/events/counts")
async def count_events(
    call: Auditing,
    given: Given,
    period: Within,
    by: Annotated[str, Parameter(max_length=20, examples=["type,day"])] = "type",
    site_id: SiteId | None = None,
    type: Texts = frozenset(),
    not_type: Texts = frozenset(),
) -> Counts:
    """How many events there are by ``type``, ``day`` and ``site``, or several of these with commas between them.

    Whole days (UTC) are counted: for a ``from`` or a ``to`` within a day all of that day, and ``is_exact`` says so.
    """
    query = Query(site_id=_own(call, site_id), types=type or None, not_types=not_type)
    dimensions = _dimensions(by)
    days = Days.of(period.start, period.end)
    reading = handlers.count(call, query, dimensions, days, MAX_COUNTS + 1)
    counted = await read_recorded(call, "counts", given, reading, site_id)
    if len(counted.items) > MAX_COUNTS:
        raise Malformed("by", f"gives more than {MAX_COUNTS} numbers; ask for a shorter time or one site", "type")
    return Counts(first_day=days.first, last_day=days.last, is_exact=days.is_exact, **counted._asdict())


@router.get("/events/{index}", response_model=SingleEvent)
async def get_event(
    call: Auditing, given: Given, index: Annotated[int, Path(ge=0, le=MAX_INDEX)], proofs: bool = False
) -> Response:
    """One event by the index of its entry. One of a site that is not yours does not exist.

    With ``proofs=true`` it comes with its inclusion proof under ``checkpoint``.
    """
    found = await read_recorded(call, "event", given, handlers.find_single(call, index, with_proof=proofs))
    return Response(msgspec.json.encode(found), media_type=JSON)


@router.get("/assets/{asset_id}/life", response_model=EventPage)
async def tell_life(
    call: Auditing,
    given: Given,
    paging: Paging,
    period: Within,
    asset_id: Annotated[Text, Path()],
    type: Texts = frozenset(),
    not_type: Texts = frozenset(),
    order: Order = "asc",
    probes: bool = False,
    proofs: bool = False,
) -> Response:
    """All that happened to an asset, from the first on: the events about it, and those that name it beside others.

    The results of its probes are left out unless ``probes=true``.
    """
    left_out = not_type if probes or ROUTINE in type else not_type | {ROUTINE}
    query = Query(about=asset_id, types=type or None, not_types=left_out)
    asked = _asked(query, paging, period.span, order, proofs)
    reading = handlers.find_page(call, query, asked)
    page = await read_recorded(call, "life", given, reading)
    if not page.found.items and len(given) == 1:
        raise NotFound(tell_absence(f"asset {asset_id}", page.pruned))
    return Response(page.answer(asked), media_type=JSON)


@router.get("/flows/{correlation_id:path}", response_model=Flow)
async def show_flow(
    call: Auditing, given: Given, correlation_id: Annotated[Text, Path()], proofs: bool = False
) -> Response:
    """All that followed from one request, each entry under the one that caused it.

    A flow of more than 1,000 entries is cut off behind these, and ``is_complete`` says so; the search for its
    ``correlation_id`` gives all. With ``proofs=true`` each entry comes with its inclusion proof under ``checkpoint``.
    """
    reading = handlers.find_flow(call, correlation_id, with_proofs=proofs)
    page = await read_recorded(call, "flow", given, reading)
    if not page.found.items:
        raise NotFound(tell_absence(f"flow {correlation_id}", page.pruned))
    flow = {
        "correlation_id": correlation_id,
        "entries": build_tree(page.found.items),
        "is_complete": page.found.rest is None,
        "checkpoint": page.checkpoint,
        "pruned": page.pruned,
    }
    return Response(msgspec.json.encode(flow), media_type=JSON)


def _own(call: Call, site_id: str | None) -> str | None:
    """The site, if the caller may see it. Raises NotFound, Forbidden."""
    if site_id is not None:
        call.caller.require("auditor", site_id)
    return site_id


def _asked(query: Query, paging: PageRequest, span: Span, order: Order, proofs: bool) -> PageAsked:
    question = tell_question(query, span, order)
    cursor = None if paging.after is None else Cursor.parse(paging.after, question)
    return PageAsked(span, cursor, order, paging.limit, proofs, question)


def _dimensions(by: str) -> list[Dimension]:
    names: dict[str, Dimension] = {"day": "day", "type": "type", "site": "site"}
    if not set(by.split(",")) <= names.keys():
        raise Malformed("by", f"must be {', '.join(names)}, or several of these with commas between them", "type,day")
    return [names[name] for name in dict.fromkeys(by.split(","))]
