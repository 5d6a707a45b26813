"""A log of events by chance in a real database, in partitions of 512 entries, and the questions that it is asked."""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from services.compliance.log.append import grow
from services.compliance.log.domain import Arrival
from services.compliance.log.entry import parse_entry
from services.compliance.log.index import Told, read_told
from services.compliance.log.outcome import outcome_of
from services.compliance.log.store import (
    append,
    select_entries,
    select_state,
)
from services.compliance.search.domain import Query
from services.compliance.search.places import Place, Span
from shared.database import Pool, connect
from shared.events.envelope import Envelope
from shared.grants import Caller, parse_grants
from shared.http import Call
from shared.http.call import RouteContext
from tests.conftest import execute
from tests.integration.conftest import login

START = datetime(2026, 3, 28, 22, tzinfo=UTC)
SITES = ("north", "south", "east", "group")
TYPES = ("probe.result", "alert.raised", "window.started", "asset.changed", "backup.failed")
ACTORS = ("service:probes", "anna", "bob", "service:maintenance")
WORDS = ("ok", "failed", "degraded", "probe_error", "Ünklar")
SYSTEMS = tuple(f"system-{number}" for number in range(7))

Entry = dict[str, Any]


def caller(*grants: str) -> Caller:
    """Somebody with these grants."""
    return Caller("audrey", parse_grants({"grants": list(grants)}))


def call_of(pool: Pool, *grants: str) -> Call:
    """A request of theirs."""
    context = RouteContext("compliance", pool, cast(Any, None), cast(Any, None))
    return Call(context, caller(*grants), "flow-of-tests", cast(Any, None), None)


def event(chance: random.Random, number: int, **fixed: Any) -> Entry:
    """An event whose time, seldom alone, is by chance, and lies up to a year before the others here and there."""
    minutes = chance.choice((chance.randrange(0, 300), chance.randrange(0, 9000), -chance.randrange(0, 500_000)))
    told: Entry = {"outcome": chance.choice(WORDS), "number": number}
    if chance.random() < 0.1:
        told |= {"system_id": chance.choice(SYSTEMS)}
    if chance.random() < 0.1:
        told |= {"systems": [{"id": system} for system in chance.sample(SYSTEMS, 2)]}
    kind = chance.choices(TYPES, (20, 2, 1, 1, 1))[0]
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "/services/probes",
        "type": kind,
        "subject": chance.choice(SYSTEMS),
        "time": (START + timedelta(minutes=minutes)).isoformat(),
        "dataschema": f"urn:steward:{kind}:1",
        "siteid": chance.choice(SITES),
        "actor": "service:probes" if kind == "probe.result" else chance.choice(ACTORS),
        "correlationid": f"flow-{chance.randrange(0, 40)}",
        "sequence": f"{number:020d}",
        "data": told,
    } | fixed


def arrival(told: Entry) -> Arrival:
    """The event as the log takes it."""
    raw = json.dumps(told, ensure_ascii=False).encode()
    envelope = msgspec.json.decode(raw, type=Envelope)
    return Arrival(raw, envelope, read_told(envelope.data) if told["data"] else Told())


async def fill(database: str, batches: Sequence[Sequence[Entry]]) -> None:
    """Appends to a log that nobody has led, each batch with its manifest, as its writer does."""
    await execute(database, "UPDATE compliance.head SET partition_entries = 512 WHERE size = 0")
    dsn = login(database, "steward_compliance")
    conn = await connect(dsn, schema="compliance", application="test-fill", settings={"steward.sites": "*"})
    try:
        for number, batch in enumerate(batches):
            async with conn.transaction():
                state = await select_state(conn)
                growth = grow(state, [arrival(told) for told in batch], START, f"manifest-{state.size}-{number}")
                await append(conn, growth, epoch=0, lease_seconds=0)
    finally:
        await conn.close()


async def entries_of(pool: Pool) -> list[Entry]:
    """The events of all entries, each with its place, in the order of search."""
    async with pool.acquire() as conn:
        found = await select_entries(conn, range(await conn.fetchval("SELECT size FROM head")))
    events = [json.loads(parse_entry(raw).event) | {"index": index, "raw": raw} for index, raw in found.items()]
    return sorted(events, key=place_of)


def place_of(told: Entry) -> Place:
    """Where an entry stands."""
    return Place(datetime.fromisoformat(told["time"]), told["index"])


def is_sought(told: Entry, query: Query, span: Span, visible: Sequence[str]) -> bool:
    """What search promises, said plainly."""
    data = told["data"]
    named = {told["subject"], data.get("system_id"), *(system["id"] for system in data.get("systems", ()))}
    event_bytes = told["raw"].split(b"\n", 1)[1].decode()
    return (
        told["siteid"] in visible
        and (query.site_id is None or told["siteid"] == query.site_id)
        and (query.types is None or told["type"] in query.types)
        and told["type"] not in query.not_types
        and (query.subject is None or told["subject"] == query.subject)
        and (query.about is None or query.about in named)
        and (query.actor is None or told["actor"] == query.actor)
        and (query.outcomes is None or outcome_of(told["type"], data.get("outcome")) in query.outcomes)
        and (query.correlation_id is None or told["correlationid"] == query.correlation_id)
        and (query.text is None or query.text.lower() in event_bytes.lower())
        and (span.lower is None or place_of(told) >= span.lower)
        and (span.upper is None or place_of(told) < span.upper)
    )


def questions(chance: random.Random, count: int) -> Iterator[tuple[Query, Span]]:
    """Any mix of conditions."""

    def maybe(share: float, *values: Any) -> Any:
        return chance.choice(values) if chance.random() < share else None

    for _ in range(count):
        types = frozenset(chance.sample(TYPES, chance.choice((1, 1, 2)))) if chance.random() < 0.4 else None
        begin, end = sorted(START + timedelta(minutes=chance.randrange(-500_000, 9000)) for _ in range(2))
        query = Query(
            site_id=maybe(0.3, *SITES, "nowhere"),
            types=maybe(0.1, frozenset({"no.such"})) or types,
            not_types=maybe(0.2, frozenset({"probe.result"})) or frozenset(),
            subject=maybe(0.15, *SYSTEMS, "nothing"),
            about=maybe(0.1, *SYSTEMS),
            actor=maybe(0.25, *ACTORS, "nobody"),
            outcomes=maybe(0.2, frozenset({8}), frozenset({4, 8, 12}), frozenset({0, 4})),
            correlation_id=maybe(0.1, "flow-1", "flow-2", "flow-x"),
            text=maybe(0.2, "ünklar", "EVENT-11", '"number": 7', "no such text"),
        )
        yield query, Span.between(maybe(0.3, begin), maybe(0.3, end))
