"""Search over HTTP. An auditor finds the events of his sites; those of the whole group take a group-wide auditor."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi import Query as Parameter
from pydantic import StringConstraints

from services.compliance.log.handlers import read_entries
from services.compliance.search import store
from services.compliance.search.domain import AuditedEvent, Order, Query, show_entry
from shared.database import Connection
from shared.errors import Malformed
from shared.events import SiteId
from shared.http import Call, Page, Paging, requires
from shared.resource import Moment

router = APIRouter(prefix="/events", tags=["events"])

MAX_INDEX = 2**63 - 1
MAX_PAGE = 500
MAX_TYPES = 100

Text = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f]+$")]


@router.get("")
async def search_events(
    call: Annotated[Call, requires("auditor")],
    paging: Paging,
    site_id: SiteId | None = None,
    type: Text | None = None,
    not_type: Annotated[frozenset[Text], Parameter(max_length=MAX_TYPES)] = frozenset(),
    subject: Text | None = None,
    actor: Text | None = None,
    correlation_id: Text | None = None,
    from_time: Annotated[Moment | None, Parameter(alias="from")] = None,
    to_time: Annotated[Moment | None, Parameter(alias="to")] = None,
    order: Order = "desc",
) -> Page[AuditedEvent]:
    """The events that have all that is asked for, newest entry first.

    ``from`` is included, ``to`` is not. ``not_type`` leaves a type out and may be given several times.
    """
    if site_id is not None:
        call.caller.require("auditor", site_id)
    query = Query(
        visible=call.caller.sites("auditor"),
        site_id=site_id,
        type=type,
        not_types=not_type or None,
        subject=subject,
        actor=actor,
        correlation_id=correlation_id,
        from_time=from_time,
        to_time=to_time,
    )
    limit = min(paging.limit, MAX_PAGE)
    async with call.read() as conn:
        indices = await store.select_indices(conn, query, order, _index(paging.after), limit + 1)
        items = await _show(conn, indices[:limit])
    return Page(items=items, next=str(indices[limit - 1]) if len(indices) > limit else None)


@router.get("/{index}")
async def get_event(
    index: Annotated[int, Path(ge=0, le=MAX_INDEX)], call: Annotated[Call, requires("auditor")]
) -> AuditedEvent:
    """One event by the index of its entry. One of a site that is not yours does not exist."""
    async with call.read() as conn:
        site_id = await store.select_site_of(conn, index)
        call.caller.require("auditor", site_id, f"entry {index}")
        [found] = await _show(conn, [index])
    return found


async def _show(conn: Connection, indices: Sequence[int]) -> list[AuditedEvent]:
    entries = await read_entries(conn, indices)
    return [show_entry(index, entries[index][0], b64encode(entries[index][1]).decode()) for index in indices]


def _index(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) <= MAX_INDEX):
        raise Malformed("cursor", "must be the `next` of an answer", "4711")
    return int(cursor)
