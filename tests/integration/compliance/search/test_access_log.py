"""Whoever reads the log stands in it, with what was asked, before the first byte of the answer."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from asyncpg.connection import LoggedQuery

from services.compliance.search.handlers import record_access
from shared.database import close_pool, open_pool
from shared.events import GROUP
from tests.conftest import execute
from tests.harness import Harness
from tests.integration.compliance.publishing import AUDITOR, COMPLIANCE
from tests.integration.compliance.search.chance import SYSTEMS, call_of, fill
from tests.integration.compliance.search.test_flows import FLOW, URL, step
from tests.integration.conftest import Run, login
from tests.news import until

EVENTS = "/compliance/v1/events"


BLOCKED_RECORD = """
SELECT EXISTS (SELECT FROM pg_stat_activity
               WHERE usename = 'steward_compliance' AND wait_event_type = 'Lock' AND query LIKE 'WITH added%')
"""


@pytest.fixture
async def steward(run: Run, database: str) -> AsyncIterator[Harness]:
    """A log with a few entries of north and south."""
    told = [step(number, None, ("north", "south")[number % 2]) | {"subject": SYSTEMS[0]} for number in range(4)]
    await fill(database, [[one | {"type": "asset.changed"} for one in told]])
    async with run(**COMPLIANCE) as harness:
        yield harness


def asked(steward: Harness) -> list[tuple[str, str, dict[str, list[str]]]]:
    """What was heard of accesses: who, how, and with which parameters."""
    events = [event for event in steward.heard.events if event.type == "log.accessed"]
    return [(event.actor, event.data.what, event.data.parameters) for event in events]  # type: ignore[attr-defined]  # -- of that type


async def test_each_way_to_ask_is_told(steward: Harness) -> None:
    """With the parameters as they were given, each page by itself."""
    auditor = steward.as_("audrey", *AUDITOR)
    urls = (
        f"{EVENTS}?site_id=north&type=asset.changed&type=site.changed&from=2026-01-01T01:00:00%2B01:00&limit=1",
        f"{EVENTS}/0",
        f"{EVENTS}/counts?by=day,type",
        f"/compliance/v1/assets/{SYSTEMS[0]}/life?order=desc",
        URL,
    )
    for url in urls:
        assert (await auditor.get(url)).status_code == 200, url
    cursor = (await auditor.get(f"{EVENTS}?limit=1")).json()["next"]
    await auditor.get(EVENTS, params={"limit": 1, "cursor": cursor})
    await steward.heard.until("log.accessed", lambda event: event.data.parameters.get("cursor") == [cursor])
    given = {
        "site_id": ["north"],
        "type": ["asset.changed", "site.changed"],
        "from": ["2026-01-01T01:00:00+01:00"],
        "limit": ["1"],
    }
    assert asked(steward) == [
        ("audrey", "query", given),
        ("audrey", "event", {"index": ["0"]}),
        ("audrey", "counts", {"by": ["day,type"]}),
        ("audrey", "life", {"asset_id": [SYSTEMS[0]], "order": ["desc"]}),
        ("audrey", "flow", {"correlation_id": [FLOW]}),
        ("audrey", "query", {"limit": ["1"]}),
        ("audrey", "query", {"limit": ["1"], "cursor": [cursor]}),
    ]


async def test_access_belongs_to_the_site_that_is_asked_for(steward: Harness) -> None:
    """So that its auditors see it; else, and for a site that the log does not know, to the group."""
    auditor = steward.as_("audrey", *AUDITOR)
    for query in ("?site_id=north&limit=11", "?limit=12", "?site_id=nowhere&limit=13"):
        assert (await auditor.get(EVENTS + query)).status_code == 200
    await steward.heard.until("log.accessed", lambda event: event.data.parameters["limit"] == ["13"])
    found = [event for event in steward.heard.events if event.type == "log.accessed"]
    assert [event.site_id for event in found] == ["north", GROUP, GROUP]
    assert {event.subject for event in found} == {"log"}


async def test_access_becomes_an_entry(steward: Harness) -> None:
    """And is found by who asks for it, the question included."""
    auditor = steward.as_("audrey", *AUDITOR)
    assert (await auditor.get(f"{EVENTS}?text=whatever")).status_code == 200
    await until(steward.pools["compliance"], "SELECT EXISTS (SELECT FROM types WHERE type = 'log.accessed')")
    [found] = (await auditor.get(EVENTS, params={"type": "log.accessed"})).json()["items"]
    assert found["event"]["actor"] == "audrey"
    assert found["event"]["data"] == {"what": "query", "parameters": {"text": ["whatever"]}, "is_cut": False}


async def test_what_is_refused_is_no_access(steward: Harness) -> None:
    """Nothing was read: a question that is malformed, that is not allowed, or about a site that is not one's own."""
    auditor, noah = steward.as_("audrey", *AUDITOR), steward.as_("noah", "auditor:north")
    for client, url in ((auditor, "?limit=0"), (auditor, "?cursor=x"), (noah, "?site_id=south"), (steward.admin, "")):
        assert (await client.get(EVENTS + url)).is_client_error
    assert (await auditor.get(f"{EVENTS}?limit=77")).is_success
    await steward.heard.until("log.accessed", lambda event: event.data.parameters["limit"] == ["77"])
    assert len(asked(steward)) == 1


async def test_what_can_not_be_recorded_is_not_told(steward: Harness, database: str) -> None:
    """The record is durable before the answer begins."""
    auditor = steward.as_("audrey", *AUDITOR)
    await execute(database, "REVOKE INSERT ON compliance.outbox FROM steward_compliance")
    for url in (EVENTS, f"{EVENTS}/0", f"{EVENTS}/counts", f"/compliance/v1/assets/{SYSTEMS[0]}/life", URL):
        answer = await auditor.get(url)
        assert answer.status_code == 500
        assert SYSTEMS[0] not in answer.text


async def test_answer_waits_for_its_record(steward: Harness, database: str) -> None:
    """While the record can't be written, what was found stays here, however long."""
    auditor = steward.as_("audrey", *AUDITOR)
    owner = await asyncpg.connect(database)
    try:
        async with owner.transaction():
            await owner.execute("LOCK TABLE compliance.outbox IN ACCESS EXCLUSIVE MODE")
            answer = asyncio.create_task(auditor.get(f"{EVENTS}/0"))
            await until(steward.pools["compliance"], BLOCKED_RECORD)
            # A question that is not recorded is answered meanwhile.
            assert (await auditor.get("/compliance/v1/log/pruned")).status_code == 200
            assert not answer.done()
        assert (await answer).status_code == 200
    finally:
        await owner.close()
    await steward.heard.until("log.accessed")


async def test_question_that_is_refused_late_is_recorded(steward: Harness) -> None:
    """An entry that is not there was asked for all the same."""
    auditor = steward.as_("audrey", *AUDITOR)
    assert (await auditor.get(f"{EVENTS}/4711")).status_code == 404
    event = await steward.heard.until("log.accessed")
    assert event.data.parameters == {"index": ["4711"]}


async def test_long_parameters_are_cut(steward: Harness) -> None:
    """An access with more than an event can hold is recorded all the same, and says that it was cut."""
    auditor = steward.as_("audrey", *AUDITOR)
    long = [f"{number}{'ä' * 250}" for number in range(40)]
    answer = await auditor.get(EVENTS, params={"not_type": long})
    assert answer.status_code == 200, answer.text
    event = await steward.heard.until("log.accessed")
    assert event.data.is_cut
    assert event.data.parameters["not_type"][0] == long[0]
    assert len(event.raw) < 48 * 1024


async def test_access_is_recorded_in_one_round_trip(database: str) -> None:
    """In one statement, which commits by itself, once the site is known; a site that is not is asked for each time."""
    await fill(database, [[step(1, None, "north")]])
    statements: list[str] = []

    def note(query: LoggedQuery) -> None:
        statements.append(query.query.split()[0])

    pool = await open_pool(login(database, "steward_compliance"), schema="compliance", application="test", max_size=1)
    call = call_of(pool, *AUDITOR)
    await record_access(call, "query", [], "north")
    async with pool.acquire() as conn:
        conn.add_query_logger(note)
    for site_id in ("north", None, "nowhere", "nowhere"):
        await record_access(call, "query", [], site_id)
    assert statements == ["WITH", "WITH", "SELECT", "WITH", "SELECT", "WITH"]
    sites = await pool.fetch("SELECT convert_from(body, 'UTF8')::jsonb->>'siteid' FROM outbox ORDER BY id")
    await close_pool(pool)
    assert [site for (site,) in sites] == ["north", "north", GROUP, GROUP, GROUP]
