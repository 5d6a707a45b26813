"""Reading the audit log: a page of a search beside the hand-written SQL for it, and inclusion proofs."""

import gc
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from statistics import quantiles
from time import perf_counter
from typing import cast

from fastapi import Response

from benchmarks.client import client
from benchmarks.figure import Figure, within
from benchmarks.ground import House
from benchmarks.probe_results import SITES
from benchmarks.processes import Running
from services.compliance.__main__ import collect_seldom
from services.compliance.log.api import prove_inclusion
from services.compliance.log.bundle import CHUNK, split_entries, unpack
from services.compliance.search.domain import PageAsked, Query
from services.compliance.search.handlers import find_page
from services.compliance.search.places import Span
from shared.consumer import Reader
from shared.database import Connection, open_pool
from shared.grants import Caller, Grant
from shared.http import Call
from shared.http.call import RouteContext
from shared.identity import Identity

ROUNDS = 400
HTTP_ROUNDS = 200
WARM_UP = 40
PAGE = 100
TYPE = "probe.result"
SPAN = timedelta(hours=2)

QUERY_MS = 20
OF_SQL = 1.3
PROOF_MS = 5
HTTP_QUERY_MS = 50
HTTP_PROOF_MS = 20

BY_HAND = """
SELECT index FROM events
WHERE site = (SELECT number FROM sites WHERE site_id = $1) AND type = (SELECT number FROM types WHERE type = $2)
  AND time >= $3 AND time < $4 ORDER BY time DESC, index DESC LIMIT 100
"""
BODIES_BY_HAND = """
SELECT start, body FROM chunks WHERE start = ANY($1::bigint[])
UNION ALL SELECT size - size % 64, tail FROM head WHERE size - size % 64 = ANY($1::bigint[])
"""

Ask = Callable[[int], Awaitable[object]]


async def measure(house: House, system: Running) -> list[Figure]:
    """The 99th percentile of each, in milliseconds, with times and entries chosen anew each time.

    Garbage is collected as seldom as in the service, for all that is measured alike.
    """
    gc.collect()
    collect_seldom()
    pool = await open_pool(house.login("compliance"), schema="compliance", application="benchmark")
    caller = Caller("benchmark", frozenset({Grant("auditor", "*")}))
    context = RouteContext("compliance", pool, cast(Identity, None), cast(Reader, None))
    call = Call(context, caller, "flow", Response(), None)
    asking = client(system.services["compliance"].url, system.token)
    async with pool.acquire() as conn, asking as http:
        await conn.execute("SET steward.sites = '*'")
        size = await conn.fetchval("SELECT max(size) FROM checkpoints")
        times = await conn.fetch("SELECT min(first_time), max(last_time) FROM partitions")
        periods = _Periods(*times[0])

        async def search(number: int) -> None:
            site, begin, end = periods.of(number)
            query = Query(site_id=site, types={TYPE})
            asked = PageAsked(Span.between(begin, end), limit=PAGE)
            page = await find_page(call, query, asked)
            assert len(page.found.items) == PAGE
            assert page.answer(asked)

        async def by_hand(number: int) -> None:
            assert len(await _by_hand(conn, *periods.of(number))) == PAGE

        async def prove(number: int) -> None:
            await prove_inclusion(call, random.Random(number).randrange(size))

        async def get_events(number: int) -> None:
            site, begin, end = periods.of(number)
            period = {"from": begin.isoformat(), "to": end.isoformat()}
            await http.get("/v1/events", {"site_id": site, "type": TYPE, "limit": PAGE, **period})

        async def get_proof(number: int) -> None:
            await http.get("/v1/log/proof/inclusion", {"index": random.Random(number).randrange(size)})

        ours, bare = await _p99_ms(search, by_hand, rounds=ROUNDS)
        [proof] = await _p99_ms(prove, rounds=ROUNDS)
        events, route = await _p99_ms(get_events, get_proof, rounds=HTTP_ROUNDS)
    await pool.close()
    name = "audit log, 100 events by site, type and time, p99"
    by_sql = "hand-written SQL for the same entries"
    return [
        Figure(name, ours, "ms", by_sql, bare, min(QUERY_MS, OF_SQL * bare), at_most=True),
        Figure(f"{name}, over HTTP", events, "ms", by_sql, bare, HTTP_QUERY_MS, at_most=True),
        within("audit log, inclusion proof, p99", proof, "ms", PROOF_MS),
        within("audit log, inclusion proof, p99, over HTTP", route, "ms", HTTP_PROOF_MS),
    ]


class _Periods:
    """Periods within the log's, the same for the same number."""

    def __init__(self, first: datetime, last: datetime) -> None:
        self._first = first
        self._room = max((last - first - SPAN).total_seconds(), 0.0)

    def of(self, number: int) -> tuple[str, datetime, datetime]:
        """A site and a period."""
        chosen = random.Random(number)
        begin = self._first + timedelta(seconds=chosen.uniform(0, self._room))
        return chosen.choice(SITES), begin, begin + SPAN


async def _by_hand(conn: Connection, site: str, begin: datetime, end: datetime) -> list[bytes]:
    """The entries by one look into the index and one at the chunks."""
    indices = [row["index"] for row in await conn.fetch(BY_HAND, site, TYPE, begin, end)]
    starts = list({index - index % CHUNK for index in indices})
    rows = await conn.fetch(BODIES_BY_HAND, starts)
    chunks = {row["start"]: split_entries(unpack(row["body"])) for row in rows}
    return [chunks[index - index % CHUNK][index % CHUNK] for index in indices]


async def _p99_ms(*asked: Ask, rounds: int) -> list[float]:
    """What 99 of 100 keep, of each; they take turns, in each round about the same.

    Whoever is asked first in a round reads from the disk's cache what the next one finds in PostgreSQL's; so the order
    is turned round each time.
    """
    took: list[list[float]] = [[] for _ in asked]
    turns = list(zip(asked, took, strict=True))
    for number in range(-WARM_UP, rounds):
        for ask, times in turns:
            began = perf_counter()
            await ask(number)
            times.append(1000 * (perf_counter() - began))
        turns.reverse()
    return [quantiles(times[WARM_UP:], n=100)[98] for times in took]
