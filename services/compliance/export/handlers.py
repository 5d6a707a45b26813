"""Reading for exports, a page at a time: what a search finds, and the parts of a package of evidence."""

from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from services.compliance.checkpoints.checkpoint import Checkpoint
from services.compliance.checkpoints.handlers import read_most_cosigned
from services.compliance.checkpoints.note import parse_note_unverified
from services.compliance.export import fhir, store
from services.compliance.export.domain import Gap, ShownEntry
from services.compliance.export.evidence import Claim, Kept, prove_site
from services.compliance.export.iti81 import Search
from services.compliance.export.mapping import audit_record
from services.compliance.export.package import Sealed, log_lines, pack
from services.compliance.log.bundle import CHUNK
from services.compliance.log.domain import Damaged
from services.compliance.log.entry import Entry, build_entry, format_time, parse_entry
from services.compliance.log.handlers import read_entries, read_pruned, read_tiles
from services.compliance.log.tiles import Tile
from services.compliance.search.domain import Query, Shown
from services.compliance.search.handlers import (
    MOST_LOOKED_AT,
    STATEMENT_SECONDS,
    advising,
    find,
    find_one,
    looking,
    looking_long,
)
from services.compliance.search.places import Cursor, Place, Span
from shared.database import Connection
from shared.errors import Conflict
from shared.http import Call

WINDOW = 65_536
"""How many of the log's indices are looked through at once for those of the site."""

PAGE = 256

Read = Callable[[], AbstractAsyncContextManager[Connection]]
"""Lends a connection in a read-only transaction: each page takes one anew, so none is held while a client is slow."""


@dataclass(frozen=True, slots=True)
class _Period:
    """What is looked for: the site's entries of the claim in the first ``size`` of the log, from ``start`` on."""

    claim: Claim
    size: int
    start: int


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """AuditEvents that a search by ITI-81 has found, and where it goes on."""

    events: Sequence[fhir.Json]
    rest: Cursor | None


async def found_pages(call: Call, query: Query, span: Span) -> AsyncIterator[Sequence[ShownEntry]]:
    """All entries of the span that the query seeks and the caller may see, the oldest event first."""
    rest: Cursor | None = None
    while True:
        async with looking(call) as conn:
            found = await find(conn, call, query, span.beyond(rest) if rest else span, is_down=False, limit=PAGE)
        yield [_entry_of(shown) for shown in found.items]
        rest = found.rest
        if rest is None:
            return


async def find_gaps(read: Read, start: datetime | None, end: datetime | None) -> Sequence[Gap]:
    """What an export of that time can't hold: it was pruned, and only its archive has it."""
    async with read() as conn:
        return await _gaps_of(conn, start, end)


async def _gaps_of(conn: Connection, start: datetime | None, end: datetime | None) -> Sequence[Gap]:
    return [Gap(gap.first, gap.end, gap.location) for gap in await read_pruned(conn, start, end)]


async def find_events(call: Call, search: Search, cursor: Cursor | None, limit: int) -> FoundEvents:
    """Up to ``limit`` AuditEvents that a search seeks, the newest first.

    At most MOST_LOOKED_AT entries are looked through; where it stops there, ``rest`` goes on, whatever was found.
    """
    narrow = search.narrowing
    query = Query(
        site_id=narrow.site_id,
        types=narrow.types,
        subject=narrow.subject,
        actor=narrow.actor,
        outcomes=narrow.outcomes,
    )
    span = Span.between(narrow.start, narrow.end)
    events: list[fhir.Json] = []
    async with looking_long(call) as conn:
        for _ in range(0, MOST_LOOKED_AT, PAGE):
            page = span.beyond(cursor) if cursor else span
            found = await find(conn, call, query, page, is_down=True, limit=PAGE)
            for shown in found.items:
                record = audit_record(_entry_of(shown))
                event = fhir.audit_event(record)
                if search.matches(event):
                    events.append(event)
                if len(events) == limit and (found.rest or shown is not found.items[-1]):
                    return FoundEvents(events, Cursor.beyond(Place(record.time, record.index), is_down=True))
            cursor = found.rest
            if cursor is None:
                break
    return FoundEvents(events, cursor)


async def find_event(call: Call, index: int) -> fhir.Json:
    """The AuditEvent of an entry. Raises NotFound, also where it is of a site that is not the caller's."""
    return fhir.audit_event(audit_record(_entry_of(await find_one(call, index))))


def _entry_of(shown: Shown) -> ShownEntry:
    entry = Entry(shown.site_id, shown.site_sequence, shown.recorded_at, bytes(shown.event))
    return ShownEntry(shown.index, build_entry(entry), b64decode(shown.leaf_hash))


async def open_evidence(read: Read, claim: Claim, keys: Sequence[str]) -> AsyncIterator[bytes]:
    """The package for a claim, piece by piece; what it needs has been found when this returns.

    Raises Conflict when nothing is signed that reaches into the period, when the site had no entry, and when the entry
    before the period was pruned.
    """
    async with _reading_site(read, claim.site_id) as conn:
        best = await read_most_cosigned(conn)
        if best is None:
            raise Conflict("no checkpoint was published yet, and without one nothing is proved")
        site = prove_site(claim.site_id, await store.select_manifest_lines(conn, best.size))
        if site is None:
            raise Conflict(f"the site {claim.site_id} had no entry when the log was last signed")
        manifest = parse_entry((await read_entries(conn, [best.size - 1]))[best.size - 1])
        if manifest.recorded_at <= claim.start:
            raise Conflict(f"the log was last signed at {format_time(manifest.recorded_at)}, before the period began")
        period = _Period(claim, best.size, await _first_index(conn, claim, best.size))
        [first] = await _read_page(conn, [period.start]) if period.start < best.size else [None]
        gaps = await _gaps_of(conn, None, None)
    if first is None or _is_unbounded(claim, first):
        raise Conflict(_missing_before(claim, gaps))
    note = best.note.encode()
    origin = Checkpoint.parse(parse_note_unverified(note).text).origin
    sealed = Sealed(claim, note, origin, best.size, site, keys)

    async def tiles(wanted: AbstractSet[Tile]) -> Mapping[Tile, bytes]:
        async with read() as conn:
            return await read_tiles(conn, wanted)

    return pack(sealed, log_lines(best.size, _pages(read, period), tiles))


def _missing_before(claim: Claim, gaps: Sequence[Gap]) -> str:
    lost = f"the entry of {claim.site_id} before the period is no longer there"
    if not gaps:
        return f"{lost}, and nothing was pruned: run `steward log verify`"
    places = ", ".join(dict.fromkeys(gap.location for gap in gaps))
    return f"{lost}: restore its archive ({places}), or choose a period that begins later"


@asynccontextmanager
async def _reading_site(read: Read, site_id: str) -> AsyncIterator[Connection]:
    """A connection that sees the site's index rows. Raises Malformed when a statement takes too long."""
    with advising():
        async with read() as conn:
            await store.scope_to(conn, site_id, STATEMENT_SECONDS)
            yield conn


def _is_unbounded(claim: Claim, first: Kept) -> bool:
    entry = parse_entry(first.raw)
    return entry.site_sequence > 0 and entry.recorded_at >= claim.start


async def _first_index(conn: Connection, claim: Claim, size: int) -> int:
    """The index of the site's last entry before the period; of its first one if there is none, or ``size``."""
    around = min(await store.select_index_at(conn, claim.start), size)
    nearest = await store.select_indices(conn, claim.site_id, around, min(around + CHUNK, size))
    kept = await _read_page(conn, nearest) if nearest else []
    before = [one.index for one in kept if parse_entry(one.raw).recorded_at < claim.start]
    if before:
        return before[-1]
    end, width = around, WINDOW
    while end > 0:
        start = max(0, end - width)
        found = await store.select_last_index(conn, claim.site_id, start, end)
        if found is not None:
            return found
        end, width = start, 4 * width
    return await _first_from(conn, claim.site_id, around, size)


async def _first_from(conn: Connection, site_id: str, index: int, size: int) -> int:
    for start in range(index, size, WINDOW):
        found = await store.select_indices(conn, site_id, start, min(start + WINDOW, size))
        if found:
            return found[0]
    return size


async def _pages(read: Read, period: _Period) -> AsyncIterator[Sequence[Kept]]:
    """What the package holds of the log, by rising index: up to the first entry behind the period, and the manifest.

    Raises Damaged when the site's numbers have a gap: the package would be refused.
    """
    expected: int | None = None
    last = -1
    async for page in _site_pages(read, period):
        chosen = []
        is_over = False
        for kept in page:
            entry = parse_entry(kept.raw)
            if expected is not None and entry.site_sequence != expected:
                raise Damaged(f"the entry {expected} of {entry.site_id} is missing; run `steward log verify`")
            expected, last = entry.site_sequence + 1, kept.index
            chosen.append(kept)
            if entry.recorded_at >= period.claim.end:
                is_over = True
                break
        yield chosen
        if is_over:
            break
    if last != period.size - 1:
        async with read() as conn:
            yield await _read_page(conn, [period.size - 1])


async def _site_pages(read: Read, period: _Period) -> AsyncIterator[Sequence[Kept]]:
    site_id = period.claim.site_id
    for start in range(period.start, period.size, WINDOW):
        async with _reading_site(read, site_id) as conn:
            indices = await store.select_indices(conn, site_id, start, min(start + WINDOW, period.size))
        for page in _cut(indices, PAGE):
            async with read() as conn:
                kept = await _read_page(conn, page)
            yield kept


async def _read_page(conn: Connection, indices: Sequence[int]) -> list[Kept]:
    entries = await read_entries(conn, indices)
    return [Kept(index, entries[index]) for index in indices]


def _cut(indices: Sequence[int], length: int) -> list[Sequence[int]]:
    return [indices[at : at + length] for at in range(0, len(indices), length)]
