"""Auditors find what happened, and nothing of sites that are not theirs."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.bus.postgres import PostgresBus
from shared.events.alerts import AlertResolved
from shared.events.inventory import SiteChanged
from tests.harness import Harness
from tests.integration.compliance.publishing import AUDITOR, COMPLIANCE, Sender, sample_of, until_size
from tests.integration.conftest import Run

URL = "/compliance/v1/events"
DATA = SiteChanged(name="Hospital", time_zone="Europe/Berlin", version=1)


@pytest.fixture
async def steward(run: Run, bus: PostgresBus) -> AsyncIterator[Harness]:
    """Compliance with 12 events: of north, south and the group by turns, the first four by bob."""
    sender = Sender(bus, "inventory")
    for number in range(12):
        site = ("north", "south", "group")[number % 3]
        raw = sender.event(
            sample_of(AlertResolved) if number >= 9 else DATA,
            site_id=site,
            subject=f"{site}-{number % 2}",
            actor="bob" if number < 4 else "alice",
        )
        await sender.send("alert.resolved" if number >= 9 else "site.changed", [raw])
    async with run(**COMPLIANCE) as harness:
        await until_size(harness, 12)
        yield harness


async def search(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """The items of one page."""
    answer = await client.get(URL, params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_each_filter_and_any_mix_of_them(steward: Harness) -> None:
    """What is found is what has all that was asked for."""
    auditor = steward.as_("audrey", *AUDITOR)
    everything = await search(auditor)
    assert sorted(item["index"] for item in everything) == list(range(12))
    for query in (
        {"site_id": "north"},
        {"type": "alert.resolved"},
        {"subject": "south-1"},
        {"actor": "bob"},
        {"correlation_id": "flow-bob"},
        {"actor": "bob", "site_id": "north"},
        {"type": "site.changed", "subject": "north-0", "actor": "alice"},
    ):
        names = {"site_id": "siteid", "correlation_id": "correlationid"}
        due = [item for item in everything if all(item["event"][names.get(k, k)] == v for k, v in query.items())]
        assert due
        assert await search(auditor, **query) == due
    assert await search(auditor, actor="bob", type="alert.resolved") == []


async def test_types_that_are_left_out_are_not_found(steward: Harness) -> None:
    """One or several; with any other filter, and within a page."""
    auditor = steward.as_("audrey", *AUDITOR)
    everything = await search(auditor)
    due = [item for item in everything if item["event"]["type"] != "alert.resolved"]
    assert 0 < len(due) < len(everything)
    assert await search(auditor, not_type="alert.resolved") == due
    assert await search(auditor, not_type="alert.resolved", limit=2) == due[:2]
    bobs = [item for item in due if item["event"]["actor"] == "bob"]
    assert await search(auditor, not_type=["alert.resolved", "probe.result"], actor="bob") == bobs
    assert await search(auditor, not_type=["alert.resolved", "site.changed"]) == []
    assert await search(auditor, not_type="site.changed", type="site.changed") == []


async def test_period_includes_its_begin_and_not_its_end(steward: Harness) -> None:
    """From the time of one event to the time of another."""
    auditor = steward.as_("audrey", *AUDITOR)
    by_time = sorted(await search(auditor), key=lambda item: str(item["event"]["time"]))
    begin, end = by_time[3]["event"]["time"], by_time[8]["event"]["time"]
    found = await search(auditor, **{"from": begin, "to": end})
    assert sorted(item["index"] for item in found) == sorted(item["index"] for item in by_time[3:8])


async def test_pages_in_both_orders_cover_all_once(steward: Harness) -> None:
    """Newest first unless told; the cursor goes on where the page ended."""
    auditor = steward.as_("audrey", *AUDITOR)
    for order, due in (("desc", list(range(11, -1, -1))), ("asc", list(range(12)))):
        seen: list[int] = []
        cursor: dict[str, Any] = {}
        while True:
            page = (await auditor.get(URL, params={"order": order, "limit": 5, **cursor})).json()
            seen += [item["index"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert seen == due


async def test_auditor_of_one_site_never_sees_another(steward: Harness) -> None:
    """Neither in lists nor by index nor by asking for it; nor what belongs to the whole group."""
    everything = await search(steward.as_("audrey", *AUDITOR))
    noah = steward.as_("noah", "auditor:north")
    own = [item for item in everything if item["site_id"] == "north"]
    assert await search(noah) == own
    assert await search(noah, site_id="north") == own
    assert await search(noah, actor="bob") == [item for item in own if item["event"]["actor"] == "bob"]
    assert (await steward.as_("gil", "auditor:group").get(URL)).status_code == 403
    for site in ("south", "group"):
        assert (await noah.get(URL, params={"site_id": site})).status_code == 404
    for item in everything:
        status = 200 if item["site_id"] == "north" else 404
        assert (await noah.get(f"{URL}/{item['index']}")).status_code == status


async def test_refusal_does_not_tell_whether_an_entry_exists(steward: Harness) -> None:
    """The same words for an entry of another site and for one that never was."""
    noah = steward.as_("noah", "auditor:north")
    foreign = next(i["index"] for i in await search(steward.as_("audrey", *AUDITOR)) if i["site_id"] == "south")
    for index in (foreign, 4711):
        answer = await noah.get(f"{URL}/{index}")
        assert (answer.status_code, answer.json()["detail"]) == (404, f"no entry {index}")


async def test_only_auditors_search(steward: Harness) -> None:
    """An administrator does not audit himself."""
    assert (await steward.admin.get(URL)).status_code == 403
    assert (await steward.admin.get(f"{URL}/0")).status_code == 403
    assert (await steward.http.get(URL)).status_code == 401


async def test_one_event_by_its_index(steward: Harness) -> None:
    """The same item as in the list; what is not there is 404."""
    auditor = steward.as_("audrey", *AUDITOR)
    [newest] = await search(auditor, limit=1)
    assert (await auditor.get(f"{URL}/{newest['index']}")).json() == newest
    assert (await auditor.get(f"{URL}/12")).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"site_id": "North"},
        {"type": ""},
        {"not_type": ""},
        {"actor": "a\x00b"},
        {"from": "yesterday"},
        {"from": "2026-03-01T00:00:00"},
        {"to": "9999-01-01T00:00:00Z"},
        {"order": "up"},
        {"cursor": "x"},
        {"cursor": "9" * 30},
        {"limit": "0"},
    ],
)
async def test_malformed_questions_are_refused(steward: Harness, query: dict[str, str]) -> None:
    """422 with the field, the rule and an example."""
    answer = await steward.as_("audrey", *AUDITOR).get(URL, params=query)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"].removesuffix(".0") in query
    assert error["rule"]
    assert error["example"]
