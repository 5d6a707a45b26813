"""History over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.inventory.assets.handlers import find_system
from services.inventory.history import store
from services.inventory.history.domain import (
    OWN_TO_ONE,
    Difference,
    Revision,
    Standing,
    Touched,
    difference_in_time,
    difference_of_systems,
    with_changes,
)
from services.inventory.history.store import Selection
from shared.errors import Malformed
from shared.events import Instant, SiteId
from shared.http import Call, Page, Paging, requires
from shared.http.pages import PageRequest
from shared.resource import Id, Line, Moment

router = APIRouter(prefix="/v1", tags=["history"])

Kind = Annotated[str, Query(pattern=r"^[a-z_]{1,40}$")]
_EXAMPLE = "a cursor that an answer has named as next"


class Comparison(BaseModel):
    """How one system differs from another; ``ignored`` are the fields in which any two systems differ."""

    before: Id
    after: Id
    at: Instant
    ignored: list[str] = Field(examples=[["serial", "host"]])
    differences: list[Difference]


@router.get("/history")
async def list_changes(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    kind: Kind | None = None,
    thing_id: Line | None = None,
    actor: Line | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    newest_first: bool = False,
) -> Page[Revision]:
    """What was changed at your sites and in what the group shares: before, after, by whom and why; oldest first."""
    chosen = Selection(call.caller.sites("viewer"), site_id, kind, thing_id, actor, since, until, newest_first)
    async with call.read() as conn:
        found = await store.select_revisions(conn, chosen, paging.after, paging.limit + 1)
    return paging.page([with_changes(revision) for revision in found], lambda revision: revision.id)


@router.get("/snapshot")
async def list_standing(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    at: Moment,
    site_id: SiteId | None = None,
    kind: Kind | None = None,
) -> Page[Standing]:
    """What your sites had at an instant, each thing as it stood then."""
    chosen = Selection(call.caller.sites("viewer"), site_id, kind)
    async with call.read() as conn:
        found = await store.select_standing(conn, chosen, at, _place(paging), paging.limit + 1)
    return paging.page(found, _cursor)


@router.get("/diff")
async def list_differences(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    since: Moment,
    until: Moment,
    site_id: SiteId | None = None,
    kind: Kind | None = None,
) -> Page[Difference]:
    """How what your sites have differs between two instants; a page may hold fewer than ``limit`` and still go on."""
    if until < since:
        raise Malformed("until", "must not lie before since", since.isoformat())
    chosen = Selection(call.caller.sites("viewer"), site_id, kind)
    async with call.read() as conn:
        found = await store.select_touched(conn, chosen, since, until, _place(paging), paging.limit + 1)
    page = paging.page(found, _cursor)
    differences = [difference for thing in page.items if (difference := difference_in_time(thing))]
    return Page(items=differences, next=page.next)


@router.get("/comparison")
async def compare_systems(
    call: Annotated[Call, requires("viewer")], before: Id, after: Id, at: Moment | None = None
) -> Comparison:
    """How one system with its nodes and components differs from another, such as production from staging."""
    moment = at or datetime.now(UTC)
    systems = [await call.find("viewer", "system", find_system, system_id) for system_id in (before, after)]
    async with call.read() as conn:
        sides = [await store.select_things_of_system(conn, s.id, s.site_id, moment) for s in systems]
    return Comparison(
        before=before, after=after, at=moment, ignored=sorted(OWN_TO_ONE), differences=difference_of_systems(*sides)
    )


def _cursor(thing: Standing | Touched) -> str:
    return f"{thing.kind}/{thing.thing_id}"


def _place(paging: PageRequest) -> tuple[str, str] | None:
    if paging.after is None:
        return None
    kind, slash, thing_id = paging.after.partition("/")
    if not slash:
        raise Malformed("cursor", f"must be {_EXAMPLE}", "component/0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11")
    return kind, thing_id
