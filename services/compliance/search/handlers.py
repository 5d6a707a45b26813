"""Searching the log, and telling the log who has looked."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import asyncpg
from fastapi import Request

from services.compliance.checkpoints.handlers import read_latest
from services.compliance.log.domain import Pruned, check_present, pick_entries
from services.compliance.log.handlers import read_entries, read_entry, read_pruned, read_tiles
from services.compliance.log.proofs import plan_inclusions
from services.compliance.search import store
from services.compliance.search.domain import (
    Counted,
    Counting,
    Dimension,
    Found,
    FoundPage,
    Kind,
    PageAsked,
    Query,
    Shown,
    show_entry,
    tell_parameters,
)
from services.compliance.search.flow import MAX_ENTRIES
from services.compliance.search.places import Cursor, Days, Span
from shared.database import Connection
from shared.errors import Malformed, NotFound, Unavailable
from shared.events import GROUP
from shared.events.compliance import LogAccessed
from shared.http import Call
from shared.http.call import RouteContext
from shared.telemetry import log
from shared.transactions import Transaction, flush_outbox, utc_now

R = TypeVar("R")

SUBJECT = "log"

LOOKED_AT_ONCE = 256
MOST_LOOKED_AT = 10_000
STATEMENT_SECONDS = 10
LOOKED_SECONDS = 10.0
LONG_AT_ONCE = 3
"""How many questions that read through entries may hold a connection; the service's pool has more for all others."""

PATIENCE_SECONDS = 30.0

_turns: WeakKeyDictionary[RouteContext, asyncio.Semaphore] = WeakKeyDictionary()
_known_sites: WeakKeyDictionary[RouteContext, set[str]] = WeakKeyDictionary()

Given = Sequence[tuple[str, str]]
"""Parameters as they stand in the request: pairs of name and value, in which a name may come again."""


# A coroutine, although it awaits nothing: any other dependency is sent to a thread and back.
async def given_in(request: Request) -> Given:
    """All parameters of a request's address. For routes: ``given: Annotated[Given, Depends(given_in)]``."""
    return [*((name, str(value)) for name, value in request.path_params.items()), *request.query_params.multi_items()]


async def record_access(call: Call, what: str, given: Given, site_id: str | None = None) -> None:
    """Makes it durable, as an event ``log.accessed``, that the caller is about to read the log; no result is told.

    To be awaited once the request is found to be allowed, before the answer begins, so that no byte of it leaves
    unrecorded: ``await record_access(call, "export", given, site_id)``.
    The event belongs to ``site_id``, the site that is asked for, or to the group where that is none the log knows.
    """
    parameters, is_cut = tell_parameters(given)
    context = call.context
    async with context.pool.acquire() as conn:
        is_known = site_id is not None and await _has_site(context, conn, site_id)
        tx = Transaction(conn, context.service, utc_now(), call.caller.name, call.correlation_id)
        tx.record(
            LogAccessed(what=what, parameters=parameters, is_cut=is_cut),
            subject=SUBJECT,
            site_id=site_id if site_id is not None and is_known else GROUP,
        )
        # One statement commits by itself: to begin and to end a transaction are round trips of their own.
        await flush_outbox(tx)


async def read_recorded(
    call: Call, what: str, given: Given, reading: Coroutine[Any, Any, R], site_id: str | None = None
) -> R:
    """What ``reading`` gives, or raises, once it is durable that the caller has asked (see ``record_access``).

    Both go on at the same time, each over a connection of its own: neither the commit nor the search waits.
    """
    recording = asyncio.create_task(record_access(call, what, given, site_id))
    try:
        return await reading
    finally:
        await recording


async def _has_site(context: RouteContext, conn: Connection, site_id: str) -> bool:
    """Whether the log knows the site. It forgets none, so each is asked for once."""
    known = _known_sites.setdefault(context, set())
    if site_id not in known and await store.has_site(conn, site_id):
        known.add(site_id)
    return site_id in known


@asynccontextmanager
async def looking(call: Call) -> AsyncIterator[Connection]:
    """A connection in a read-only transaction that sees one moment, and of the index only the caller's sites.

    Raises Malformed when a statement takes longer than STATEMENT_SECONDS.
    """
    with advising():
        async with call.read() as conn:
            await store.show_sites(conn, call.caller.sites("auditor"), STATEMENT_SECONDS)
            yield conn


@contextmanager
def advising() -> Iterator[None]:
    """Raises Malformed, with what to ask for instead, when a statement was ended for taking too long."""
    try:
        yield
    except asyncpg.QueryCanceledError as exc:
        rule = f"takes more than {STATEMENT_SECONDS} s to answer; ask for a shorter time, one site or one type"
        raise Malformed("from", rule, "2026-03-01T00:00:00Z") from exc


@asynccontextmanager
async def looking_long(call: Call) -> AsyncIterator[Connection]:
    """As ``looking``, for a question that reads through entries: LONG_AT_ONCE of these have a connection at a time.

    Others wait for their turn without one. Raises Unavailable when it has not come for PATIENCE_SECONDS.
    """
    turns = _turns.setdefault(call.context, asyncio.Semaphore(LONG_AT_ONCE))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await turns.acquire()
    except TimeoutError as exc:
        raise Unavailable("too many questions that read through entries are being answered; try again") from exc
    try:
        async with looking(call) as conn:
            yield conn
    finally:
        turns.release()


async def find_page(call: Call, query: Query, asked: PageAsked) -> FoundPage:
    """A page of the entries that the caller may see and the query seeks, with the checkpoint to prove them by."""
    kind = query.kind_among(call.caller.sites("auditor"))
    if kind is not None:
        return await _find_page_of_kind(call, kind, asked)
    async with (looking_long if query.text else looking)(call) as conn:
        checkpoint = await read_latest(conn)
        found = await find(conn, call, query, asked.reach, is_down=asked.is_down, limit=asked.limit)
        if asked.with_proofs:
            await prove(conn, found.items, checkpoint.size if checkpoint else 0)
        pruned = await _pruned_of(conn, asked.span)
    return FoundPage(found, checkpoint.note if checkpoint else None, pruned)


async def _find_page_of_kind(call: Call, kind: Kind, asked: PageAsked) -> FoundPage:
    """What is asked most, in one statement, which sees one moment without a transaction.

    What was pruned is read after it, if anything was, so that nothing is missing from the page that is not told of.
    """
    visible, limit = call.caller.sites("auditor"), asked.limit
    async with call.context.pool.acquire() as conn:
        page = await store.select_page_of_kind(conn, kind, visible, asked.reach, is_down=asked.is_down, limit=limit)
        indices = [place.entry for place in page.places[:limit]]
        entries = pick_entries(indices, page.chunks)
        check_present(indices, entries)
        items = [item for item in _show(Query(), visible, indices, entries) if item is not None]
        if asked.with_proofs:
            await prove(conn, items, page.size)
        pruned = await _pruned_of(conn, asked.span) if page.is_any_pruned else ()
    rest = Cursor.beyond(page.places[limit - 1], is_down=asked.is_down) if len(page.places) > limit else None
    return FoundPage(Found(items, rest), page.note, pruned)


async def _pruned_of(conn: Connection, span: Span) -> Sequence[Pruned]:
    return await read_pruned(conn, span.lower and span.lower.time, span.upper and span.upper.time)


async def find(conn: Connection, call: Call, query: Query, span: Span, *, is_down: bool, limit: int) -> Found:
    """Up to ``limit`` entries of the span that the query seeks, from its upper end down or from its lower end up.

    For text, the entries that meet the rest of the query are looked through, MOST_LOOKED_AT of them and not much longer
    than LOOKED_SECONDS; where the search stops there, ``rest`` goes on, whatever was found.
    """
    until = monotonic() + LOOKED_SECONDS
    visible = call.caller.sites("auditor")
    sought = await store.select_sought(conn, query, visible)
    items: list[Shown] = []
    looked_at = 0
    while True:
        count = LOOKED_AT_ONCE if query.text else limit
        places = await store.select_places(conn, sought, span, is_down=is_down, limit=count + 1)
        indices = [place.entry for place in places[:count]]
        shown = _show(query, visible, indices, await read_entries(conn, indices) if indices else {})
        looked_at += count
        for place, item in zip(places, shown, strict=False):
            if item is not None:
                items.append(item)
            if len(items) == limit:
                return Found(items, Cursor.beyond(place, is_down=is_down) if place != places[-1] else None)
        if len(places) <= count:
            return Found(items, None)
        rest = Cursor.beyond(places[count - 1], is_down=is_down)
        if looked_at >= MOST_LOOKED_AT or monotonic() > until:
            return Found(items, rest)
        span = span.beyond(rest)


async def find_one(call: Call, index: int) -> Shown:
    """The entry of that index. Raises NotFound where there is none, or it is of a site that is not the caller's."""
    async with call.read() as conn:
        return await _find_one(conn, call, index)


async def find_single(call: Call, index: int, *, with_proof: bool) -> Shown:
    """As ``find_one``, with the newest checkpoint and, if it is asked for, the entry's proof under it."""
    async with call.read() as conn:
        shown = await _find_one(conn, call, index)
        checkpoint = await read_latest(conn)
        if with_proof:
            await prove(conn, [shown], checkpoint.size if checkpoint else 0)
    shown.checkpoint = checkpoint.note if checkpoint else None
    return shown


async def _find_one(conn: Connection, call: Call, index: int) -> Shown:
    raw = await read_entry(conn, index)
    shown = None if raw is None else show_entry(index, raw, Query())
    if shown is None or not call.caller.has("auditor", shown.site_id):
        raise NotFound(f"no entry {index}")
    return shown


async def find_flow(call: Call, correlation_id: str, *, with_proofs: bool) -> FoundPage:
    """The first entries of a flow, MAX_ENTRIES at the most."""
    asked = PageAsked(order="asc", limit=MAX_ENTRIES, with_proofs=with_proofs)
    return await find_page(call, Query(correlation_id=correlation_id), asked)


async def count(call: Call, query: Query, dimensions: Sequence[Dimension], days: Days, limit: int) -> Counting:
    """How many entries there are of each combination of ``dimensions``, the first ``limit`` of them."""
    async with looking(call) as conn:
        size, checkpoint = await store.select_size(conn), await read_latest(conn)
        sought = await store.select_sought(conn, query, call.caller.sites("auditor"))
        rows = await store.select_counts(conn, sought, dimensions, days.first, days.last, limit)
        pruned = await _pruned_of(conn, days.span)
    items = [Counted.model_validate(dict(row)) for row in rows]
    return Counting(items, size, checkpoint.note if checkpoint else None, pruned)


def _show(
    query: Query, visible: Set[str] | None, indices: Sequence[int], entries: Mapping[int, bytes]
) -> list[Shown | None]:
    """Each entry, or None in the place of one that is not sought after all."""
    shown = []
    for index in indices:
        item = show_entry(index, entries[index], query)
        if item is not None and visible is not None and item.site_id not in visible:
            # Row-level security has let it pass: the index row is not that of the entry.
            log.error("search.wrong_index", service="compliance", index=index)
            item = None
        shown.append(item)
    return shown


async def prove(conn: Connection, items: Sequence[Shown], size: int) -> None:
    """Gives each entry its inclusion proof under the checkpoint of that size, or None if it came later."""
    covered = [item for item in items if item.index < size]
    plan = plan_inclusions([item.index for item in covered], size)
    proofs = plan.solve(await read_tiles(conn, plan.tiles))
    for item in items:
        item.proof = None
    for item, proof in zip(covered, proofs, strict=True):
        item.proof = [b64encode(node).decode() for node in proof]
