"""SQL of search: it reads the index beside the log and gives the places of entries.

All of it runs in a transaction that has said whose sites it sees (``show_sites``); without that it sees nothing.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import date
from itertools import accumulate
from typing import NamedTuple

import asyncpg

from services.compliance.log.index import correlation_digest, digest
from services.compliance.search.domain import Dimension, Kind, Query
from services.compliance.search.places import FIRST, LAST, Place, Span
from shared.database import Connection

PROBES = "service:probes"
PROBE_RESULT = 0
"""The number of the type ``probe.result``, in every log."""

SUCCESS = 0
COUNTED: Mapping[Dimension, str] = {"day": "day", "type": "types.type", "site": "sites.site_id"}
EVERYTHING = "*"
DAYS = 32
WIDEN = 4


class Sought(NamedTuple):
    """A query in the index's numbers; None leaves a part open."""

    sites: Sequence[int] | None = None
    types: Sequence[int] | None = None
    subject: int | None = None
    about: int | None = None
    actor: int | None = None
    outcomes: Sequence[int] | None = None
    correlation: int | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether one index leads to what is sought."""
        words = (self.subject, self.about, self.correlation)
        is_one_kind = self.sites is not None and self.types is not None and len(self.sites) == len(self.types) == 1
        return is_one_kind or any(word is not None for word in words) or self.has_rare_actor or self.has_failed

    @property
    def has_rare_actor(self) -> bool:
        """Whether the index over actors has the one that is sought."""
        return self.actor is not None and self.actor != digest(PROBES)

    @property
    def has_failed(self) -> bool:
        """Whether the index over failures has all that is sought."""
        return self.outcomes is not None and SUCCESS not in self.outcomes

    @property
    def leaves_probes_out(self) -> bool:
        """Whether no result of a probe is sought."""
        return self.types is not None and PROBE_RESULT not in self.types

    @property
    def literal(self) -> str:
        """What is sought in the words of partial indexes: they don't serve a query that says it by parameters."""
        return "".join(
            f" AND {words}"
            for words, is_so in (
                (f"actor <> {digest(PROBES)}", self.has_rare_actor),
                (f"outcome > {SUCCESS}", self.has_failed),
                (f"type <> {PROBE_RESULT}", self.leaves_probes_out),
            )
            if is_so
        )


async def show_sites(conn: Connection, visible: Set[str] | None, statement_seconds: int) -> None:
    """Lets the rest of the transaction see these sites, None for all, in statements that take so long at the most.

    Events are then read by an index in the order of time until there are enough. Left to itself, the planner, which
    does not know how many there are of a kind, would read all of it and sort.
    """
    await conn.execute(
        """SELECT set_config('steward.sites', $1, true), set_config('statement_timeout', $2, true),
                  set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)""",
        _setting(visible),
        f"{statement_seconds}s",
    )


class KindPage(NamedTuple):
    """Entries of one kind: their places, one more than a page shows if there are more, and the chunks they lie in.

    The newest checkpoint stands beside them, with its cosignatures, and whether anything was pruned by the time that
    they were read.
    """

    places: list[Place]
    chunks: list[tuple[int, bytes]]
    size: int
    note: str | None
    is_any_pruned: bool


async def select_page_of_kind(
    conn: Connection, kind: Kind, visible: Set[str] | None, span: Span, *, is_down: bool, limit: int
) -> KindPage:
    """The entries of one site and type, of those sites that are visible, at one moment; it needs no transaction."""
    row = await conn.fetchrow(
        "SELECT page.*, is_any_pruned() FROM page_of_kind($1, $2, $3, $4, $5, $6, $7, $8, $9) AS page",
        _setting(visible),
        *kind,
        is_down,
        limit,
        *(span.lower or Place(FIRST, 0)),
        *(span.upper or Place(LAST, 0)),
    )
    assert row is not None  # noqa: S101 -- a function that returns no set has a row
    times, indices, starts, bodies, size, note, is_any_pruned = row
    places, chunks = list(map(Place, times, indices)), list(zip(starts, bodies, strict=True))
    return KindPage(places, chunks, size or 0, note, is_any_pruned)


def _setting(visible: Set[str] | None) -> str:
    return EVERYTHING if visible is None else ",".join(sorted(visible))


async def has_site(conn: Connection, site_id: str) -> bool:
    """Whether the log has an entry of that site."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM sites WHERE site_id = $1)", site_id))


async def select_sought(conn: Connection, query: Query, visible: Set[str] | None) -> Sought:
    """The query in numbers. What has no number has no entry, so its list is empty."""
    sites = visible if query.site_id is None else {query.site_id}
    row = await conn.fetchrow(
        """SELECT ARRAY(SELECT number FROM sites WHERE site_id = ANY($1::text[])) AS sites,
                  ARRAY(SELECT number FROM types
                        WHERE ($2::text[] IS NULL OR type = ANY($2)) AND type <> ALL($3::text[])) AS types""",
        list(sites or ()),
        None if query.types is None else list(query.types),
        list(query.not_types),
    )
    assert row is not None  # noqa: S101 -- a SELECT without FROM has a row
    return Sought(
        sites=None if sites is None else row["sites"],
        types=None if query.types is None and not query.not_types else row["types"],
        subject=None if query.subject is None else digest(query.subject),
        about=None if query.about is None else digest(query.about),
        actor=None if query.actor is None else digest(query.actor),
        outcomes=None if query.outcomes is None else list(query.outcomes),
        correlation=None if query.correlation_id is None else correlation_digest(query.correlation_id),
    )


async def select_places(conn: Connection, sought: Sought, span: Span, *, is_down: bool, limit: int) -> list[Place]:
    """Up to ``limit`` places in the span, from its upper end down or from its lower end up.

    What no index leads to alone is sought kind by kind, in the days that have enough entries of such kinds.
    """
    if sought.is_narrow:
        return await _select_narrow(conn, sought, span, is_down, limit)
    found: list[Place] = []
    wanted = limit
    while len(found) < limit and (near := await _select_near(conn, sought, span, is_down, wanted)) is not None:
        found += await _select_by_kind(conn, sought, near, is_down, limit - len(found))
        span = replace(span, upper=near.lower) if is_down else replace(span, lower=near.upper)
        wanted *= WIDEN
    return found


async def _select_near(conn: Connection, sought: Sought, span: Span, is_down: bool, wanted: int) -> Span | None:
    """The end of the span whose days have ``wanted`` entries of the kinds sought; None where no day has any."""
    if span.is_empty:
        return None
    where, values = _where(*_days_of(span), *_kinds_of(sought))
    # The days are few, and sorted where that is faster.
    await conn.execute("SET LOCAL enable_sort = on")
    rows = await conn.fetch(
        f"""SELECT day, sum(count)::bigint FROM days {where}
            GROUP BY day ORDER BY day {_direction(is_down)} LIMIT {DAYS}""",  # noqa: S608 -- our own conditions
        *values,
    )
    if not rows:
        return None
    sums = accumulate(count for _, count in rows)
    last = next((day for (day, _), counted in zip(rows, sums, strict=True) if counted >= wanted), rows[-1][0])
    return span.until(last, is_down=is_down)


async def _select_by_kind(conn: Connection, sought: Sought, span: Span, is_down: bool, limit: int) -> list[Place]:
    where, values = _where(*_days_of(span), *_kinds_of(sought))
    kinds = await conn.fetch(f"SELECT DISTINCT site, type FROM days {where}", *values)  # noqa: S608 -- our conditions
    where, values = _where(
        *await _select_bounds(conn, span),
        ("actor = {}", sought.actor),
        ("outcome = ANY({})", sought.outcomes),
        given=2,
    )
    order = f"ORDER BY time {_direction(is_down)}, index {_direction(is_down)} LIMIT {limit:d}"
    rows = await conn.fetch(
        f"""SELECT found.time, found.index FROM unnest($1::smallint[], $2::smallint[]) AS kind (site, type)
            CROSS JOIN LATERAL (
                SELECT time, index FROM events {where} AND site = kind.site AND type = kind.type {order}
            ) AS found {order}""",  # noqa: S608 -- our own conditions
        [site for site, _ in kinds],
        [kind for _, kind in kinds],
        *values,
    )
    return [Place(*row) for row in rows]


async def _select_narrow(conn: Connection, sought: Sought, span: Span, is_down: bool, limit: int) -> list[Place]:
    bounds = await _select_bounds(conn, span)
    order = f"ORDER BY time {_direction(is_down)}, index {_direction(is_down)} LIMIT {limit:d}"
    where, values = _where(
        *bounds,
        ("subject = {}", sought.subject if sought.about is None else sought.about),
        ("correlation = {}", sought.correlation),
        ("actor = {}", sought.actor),
        ("outcome = ANY({})", sought.outcomes),
        *_kinds_of(sought),
    )
    found = f"SELECT time, index FROM events {where}{sought.literal} {order}"  # noqa: S608 -- our own conditions
    if sought.about is not None:
        where, more = _where(*bounds, ("subject = {}", sought.about), _among("site", sought.sites), given=len(values))
        values += more
        mentioned = f"SELECT time, index FROM mentions {where} {order}"  # noqa: S608 -- our own conditions
        found = f"({found}) UNION ({mentioned}) {order}"
    return [Place(*row) for row in await conn.fetch(found, *values)]


async def _select_bounds(conn: Connection, span: Span) -> list[tuple[str, object]]:
    """The span as conditions, with the indices of the partitions that it touches: the others are not looked at."""
    lower, upper = span.lower or Place(FIRST, 0), span.upper or Place(LAST, 0)
    row = await conn.fetchrow(
        """SELECT coalesce(min(number) * partition_entries, 0), coalesce((max(number) + 1) * partition_entries, 0),
                  set_config('enable_sort', 'off', true)
           FROM head LEFT JOIN partitions ON last_time >= $1 AND first_time <= $2 GROUP BY partition_entries""",
        lower.time,
        upper.time,
    )
    assert row is not None  # noqa: S101 -- the head has one row
    return [
        ("index >= {}", row[0]),
        ("index < {}", row[1]),
        *((("time >= {}", lower.time), ("(time, index) >= ({}, {})", lower)) if span.lower else ()),
        *((("time <= {}", upper.time), ("(time, index) < ({}, {})", upper)) if span.upper else ()),
    ]


def _days_of(span: Span) -> list[tuple[str, object]]:
    return [
        ("day >= {}", span.lower and span.lower.time.date()),
        ("day <= {}", span.upper and span.upper.last_day),
    ]


def _kinds_of(sought: Sought) -> list[tuple[str, object]]:
    return [_among("site", sought.sites), _among("type", sought.types)]


def _among(column: str, numbers: Sequence[int] | None) -> tuple[str, object]:
    """Of one number, an index keeps the order of what follows it; of several, it does not."""
    if numbers is not None and len(numbers) == 1:
        return f"{column} = {{}}", numbers[0]
    return f"{column} = ANY({{}})", numbers


def _where(*conditions: tuple[str, object], given: int = 0) -> tuple[str, list[object]]:
    """The conditions that have a value, behind ``given`` parameters, and the values; a Place fills two."""
    texts: list[str] = []
    values: list[object] = []
    for text, value in conditions:
        if value is not None:
            several = value if isinstance(value, Place) else (value,)
            numbers = range(given + len(values) + 1, given + len(values) + 1 + len(several))
            texts.append(text.format(*(f"${number}" for number in numbers)))
            values += several
    return (f"WHERE {' AND '.join(texts)}" if texts else ""), values


def _direction(is_down: bool) -> str:
    return "DESC" if is_down else "ASC"


async def select_size(conn: Connection) -> int:
    """How many entries the log has."""
    size: int = await conn.fetchval("SELECT size FROM head")
    return size


async def select_counts(
    conn: Connection, sought: Sought, dimensions: Sequence[Dimension], first: date | None, last: date | None, limit: int
) -> list[asyncpg.Record]:
    """How many entries there are of each combination of ``dimensions``, from one day to another, both included."""
    where, values = _where(("day >= {}", first), ("day <= {}", last), *_kinds_of(sought))
    columns = ", ".join(COUNTED[dimension] for dimension in dimensions)
    return await conn.fetch(
        f"""SELECT {columns}, sum(count)::bigint AS count
            FROM (SELECT * FROM days {where}) AS days
            JOIN sites ON sites.number = days.site JOIN types ON types.number = days.type
            GROUP BY {columns} ORDER BY {columns} LIMIT {limit:d}""",  # noqa: S608 -- our own columns and conditions
        *values,
    )
