"""The end of a contract is told: ahead, again when it has come, once however many tell it, until it is renewed."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.inventory.contracts import schedule as schedules
from services.inventory.contracts.domain import ContractDetails
from services.inventory.contracts.handlers import register_contract
from services.inventory.contracts.schedule import ContractSchedule
from shared.events import Event
from shared.transactions import begin
from tests.harness import Harness
from tests.integration.inventory.contracts.test_contracts import CONTRACTS, terms
from tests.integration.inventory.requests import post, without

BAA = {
    "kind": "business_associate",
    "number": "BAA-2024-7",
    "starts": "2021-01-01",
    "ends": "2024-03-30",
    "notice_days": 60,
    "escalation": [],
}
LONG_AGO = datetime(2021, 1, 1, tzinfo=UTC)
AHEAD = datetime(2024, 1, 29, 23, tzinfo=UTC)
"""When 30 January 2024 begins in Berlin, 60 days before the last day."""

AFTER = datetime(2024, 3, 30, 23, tzinfo=UTC)
"""When 31 March 2024 begins in Berlin, where the clocks go forward on that day."""


@pytest.fixture(autouse=True)
def never_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own schedule, by whose clock all of this is over, looks only when it starts."""
    monkeypatch.setattr(schedules, "PAUSE_SECONDS", 3600.0)


def schedule(steward: Harness, at: datetime) -> ContractSchedule:
    """A schedule whose clock stands still."""
    return ContractSchedule(steward.pools["inventory"], lambda: at)


async def agree_long_ago(steward: Harness, **changes: Any) -> dict[str, Any]:
    """The agreement, registered when its end was far."""
    body = await terms(steward, **BAA | changes)
    async with begin(steward.pools["inventory"], "inventory", now=LONG_AGO) as tx:
        details = ContractDetails.model_validate(without(body, "site_id"))
        made = await register_contract(tx, body["site_id"], details)
    return made.model_dump(mode="json")


async def change(steward: Harness, contract: dict[str, Any], **changes: Any) -> None:
    """Changes an agreement over REST, at its first version."""
    body = without(await terms(steward, **BAA | {"number": contract["number"]} | changes), "site_id")
    answer = await steward.admin.put(f"{CONTRACTS}/{contract['id']}", json=body, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text


def about(contract: dict[str, Any]) -> Callable[[Event[Any]], bool]:
    """Picks the events of a contract."""
    return lambda event: bool(event.subject == contract["id"])


def at(instant: datetime) -> Callable[[Event[Any]], bool]:
    """Picks the events of an instant."""
    return lambda event: bool(event.time == instant)


def told(steward: Harness, contract: dict[str, Any]) -> list[tuple[str, str]]:
    """The alerts about a contract so far, by what they say."""
    events: list[Any] = sorted(steward.heard.events, key=lambda event: event.sequence)
    return [
        (event.type, event.data.summary)
        for event in events
        if event.type.startswith("alert.") and event.subject == contract["id"]
    ]


@pytest.mark.seed("54")
async def test_an_agreement_has_dates_and_its_end_raises_an_alert(steward: Harness) -> None:
    """Registered with an end that is near, it is told at once; with a later end, it is over; as all may read there."""
    today = datetime.now(UTC).date()
    soon = await terms(steward, **BAA | {"ends": str(today + timedelta(days=30))})
    agreement = await post(steward, CONTRACTS, soon)
    raised = await steward.heard.until("alert.raised", about(agreement))
    assert (raised.site_id, raised.data.severity) == ("north", "warning")
    assert raised.data.summary == (
        f"Business associate agreement BAA-2024-7 with Northlight Imaging GmbH ends on {soon['ends']}"
    )
    later = str(today + timedelta(days=400))
    await change(steward, agreement, ends=later)
    resolved = await steward.heard.until("alert.resolved", about(agreement))
    assert resolved.data.alert_id == raised.data.alert_id
    shown = (await steward.as_("eve", "viewer:north").get(f"{CONTRACTS}/{agreement['id']}")).json()
    assert (shown["kind"], shown["starts"], shown["ends"]) == ("business_associate", BAA["starts"], later)


@pytest.mark.seed("54")
async def test_the_end_is_told_as_the_calendar_of_the_site_reaches_it(steward: Harness) -> None:
    """When the day begins at its site: 60 days ahead, and after the last day; a renewal resolves both."""
    agreement = await agree_long_ago(steward)
    title = "Business associate agreement BAA-2024-7 with Northlight Imaging GmbH"
    for instant in (AHEAD, AFTER):
        await schedule(steward, instant - timedelta(seconds=1)).settle_all()
        await schedule(steward, instant).settle_all()
        await schedule(steward, instant + timedelta(hours=30)).settle_all()
    first = await steward.heard.until("alert.raised", at(AHEAD))
    last = await steward.heard.until("alert.raised", at(AFTER))
    assert (first.site_id, first.actor, first.data.severity) == ("north", "service:inventory", "warning")
    assert (first.data.asset_name, first.data.since, last.data.severity) == (title, AHEAD, "critical")
    await change(steward, agreement, ends="2033-03-30")
    await steward.heard.until("alert.resolved", lambda event: event.data.alert_id == last.data.alert_id)
    assert told(steward, agreement) == [
        ("alert.raised", f"{title} ends on 2024-03-30"),
        ("alert.raised", f"{title} has ended on 2024-03-30"),
        ("alert.resolved", f"{title} now runs until 2033-03-30"),
        ("alert.resolved", f"{title} now runs until 2033-03-30"),
    ]


async def test_each_site_has_its_own_day(steward: Harness) -> None:
    """At midnight in Berlin it is still the day before in London; the group goes by UTC."""
    north = await agree_long_ago(steward)
    south = await agree_long_ago(steward, site_id="south")
    shared = await agree_long_ago(steward, site_id="group")
    for instant in (AHEAD, AHEAD + timedelta(hours=1)):
        await schedule(steward, instant).settle_all()
    for contract, hours in ((north, 0), (south, 1), (shared, 1)):
        event = await steward.heard.until("alert.raised", about(contract))
        assert (event.time, event.site_id) == (AHEAD + timedelta(hours=hours), contract["site_id"])


async def test_many_schedules_tell_it_once(steward: Harness) -> None:
    """However many run at once, and however often one begins anew."""
    agreements = [await agree_long_ago(steward, number=f"BAA-{number}") for number in range(6)]
    for _ in range(2):
        await asyncio.gather(*(schedule(steward, AHEAD).settle_all() for _ in range(5)))
    for agreement in agreements:
        await change(steward, agreement, let_lapse=True)
        await steward.heard.until("alert.resolved", about(agreement))
        assert [kind for kind, _ in told(steward, agreement)] == ["alert.raised", "alert.resolved"]


async def test_the_service_tells_what_it_finds_when_it_starts(steward: Harness) -> None:
    """A schedule that was not there on the day tells of it afterwards: the end, and not what came before."""
    agreement = await agree_long_ago(steward)
    await schedule(steward, datetime.now(UTC)).settle_all()
    event = await steward.heard.until("alert.raised", about(agreement))
    assert (event.data.severity, event.data.since) == ("critical", AFTER)


async def test_a_schedule_passes_over_what_another_one_holds(steward: Harness) -> None:
    """It neither waits for it nor tells it a second time."""
    held, free = await agree_long_ago(steward), await agree_long_ago(steward, number="BAA-2")
    async with steward.pools["inventory"].acquire() as conn, conn.transaction():
        await conn.execute("SELECT true FROM contracts WHERE id = $1 FOR UPDATE", held["id"])
        await schedule(steward, AHEAD).settle_all()
        await steward.heard.until("alert.raised", about(free))
        assert told(steward, held) == []


async def test_what_has_ended_already_is_told_when_it_is_registered(steward: Harness) -> None:
    """An agreement found in a drawer, years late: one alert, for its end; its successor resolves it."""
    agreement = await post(steward, CONTRACTS, await terms(steward, **BAA))
    event = await steward.heard.until("alert.raised", about(agreement))
    assert event.data.severity == "critical"
    await schedule(steward, datetime.now(UTC)).settle_all()
    successor = await post(steward, CONTRACTS, await terms(steward, **BAA | {"number": "BAA-8", "ends": "2099-12-31"}))
    await change(steward, agreement, renewed_by=successor["id"])
    resolved = await steward.heard.until("alert.resolved", about(agreement))
    assert resolved.data.summary.endswith("is renewed by another contract")
    assert [kind for kind, _ in told(steward, agreement)] == ["alert.raised", "alert.resolved"]


async def test_a_successor_of_another_site_is_none(steward: Harness) -> None:
    """404 as if there were no such contract; 422 for one that does not run longer."""
    elsewhere = await post(steward, CONTRACTS, await terms(steward, **BAA | {"ends": "2035-01-01"}, site_id="south"))
    body = await terms(steward, **BAA | {"renewed_by": elsewhere["id"]})
    assert (await steward.admin.post(CONTRACTS, json=body)).status_code == 404
    here = await post(steward, CONTRACTS, await terms(steward, **BAA))
    body = await terms(steward, **BAA | {"renewed_by": here["id"], "number": "BAA-9", "ends": "2031-01-01"})
    assert (await steward.admin.post(CONTRACTS, json=body)).status_code == 422
