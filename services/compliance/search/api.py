"""Search over HTTP. An auditor finds the events of his sites; those of the whole group take a group-wide auditor."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Response
from fastapi import Query as Parameter
from pydantic import StringConstraints

from services.compliance.checkpoints.handlers import read_latest
from services.compliance.search import handlers
from services.compliance.search.domain import (
    AuditedEvent,
    Cursor,
    EventPage,
    Order,
    Query,
    Span,
    page_of,
    parse_outcomes,
)
from shared.errors import NotFound
from shared.events import SiteId
from shared.http import Call, Paging, requires
from shared.resource import Moment

router = APIRouter(tags=["events"])

MAX_INDEX = 2**63 - 1
MAX_PAGE = 500
MAX_TYPES = 100
MIN_TEXT = 3
JSON = "application/json"

Text = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f]+$")]
Several = Parameter(max_length=MAX_TYPES)
Asked = Annotated[handlers.Given, Depends(handlers.given_in)]


@router.get("/events", response_model=EventPage)
async def search_events(
    call: Annotated[Call, requires("auditor")],
    given: Asked,
    paging: Paging,
    site_id: SiteId | None = None,
    type: Annotated[frozenset[Text], Several] = frozenset(),
    not_type: Annotated[frozenset[Text], Several] = frozenset(),
    subject: Text | None = None,
    actor: Text | None = None,
    outcome: Annotated[frozenset[Text], Several] = frozenset(),
    correlation_id: Text | None = None,
    text: Annotated[Text | None, Parameter(min_length=MIN_TEXT)] = None,
    from_time: Annotated[Moment | None, Parameter(alias="from")] = None,
    to_time: Annotated[Moment | None, Parameter(alias="to")] = None,
    order: Order = "desc",
    proofs: bool = False,
) -> Response:
    """The events that have all that is asked for, by the time of the event, the newest first.

    ``from`` is included, ``to`` is not. ``type``, ``not_type`` and ``outcome`` may be given several times. ``text``
    stands somewhere in the event, whatever its case; at most 10,000 entries that meet the rest are looked through for
    it at a time, so a page may come with few items or none, and a ``next``. With ``proofs=true`` each entry comes with
    its inclusion proof under ``checkpoint``.
    """
    if site_id is not None:
        call.caller.require("auditor", site_id)
    query = Query(
        site_id=site_id,
        types=type or None,
        not_types=not_type,
        subject=subject,
        actor=actor,
        outcomes=parse_outcomes(outcome) or None,
        correlation_id=correlation_id,
        text=text,
    )
    cursor = None if paging.after is None else Cursor.parse(paging.after)
    await handlers.record_access(call, "query", given, site_id)
    return await _page(call, query, Span.between(from_time, to_time), cursor, order, paging.limit, proofs)


@router.get("/events/{index}", response_model=AuditedEvent)
async def get_event(
    call: Annotated[Call, requires("auditor")], given: Asked, index: Annotated[int, Path(ge=0, le=MAX_INDEX)]
) -> Response:
    """One event by the index of its entry. One of a site that is not yours does not exist."""
    await handlers.record_access(call, "event", given)
    async with call.read() as conn:
        found = await handlers.find_one(conn, call, index)
    if found is None:
        raise NotFound(f"no entry {index}")
    return Response(msgspec.json.encode(found), media_type=JSON)


async def _page(
    call: Call, query: Query, span: Span, cursor: Cursor | None, order: Order, limit: int, proofs: bool
) -> Response:
    is_down = cursor.is_down if cursor else order == "desc"
    async with handlers.looking(call) as conn:
        checkpoint = await read_latest(conn)
        within = span.beyond(cursor) if cursor else span
        found = await handlers.find(conn, call, query, within, is_down=is_down, limit=min(limit, MAX_PAGE))
        if proofs:
            await handlers.prove(conn, found.items, checkpoint.size if checkpoint else 0)
    return Response(page_of(found, cursor, order, checkpoint.note if checkpoint else None), media_type=JSON)
