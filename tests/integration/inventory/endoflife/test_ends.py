"""Ends of life, the budget report and replacement orders over HTTP and on the bus."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.inventory.endoflife.domain import months_after
from services.inventory.endoflife.schedule import EndOfLifeSchedule
from shared.bus.postgres import PostgresBus
from shared.events.maintenance import AdvisoryPublished
from tests.harness import Harness, speaking_as
from tests.integration.inventory.components.parts import COMPONENTS, change, install
from tests.integration.inventory.requests import check_malformed, post, register_system
from tests.news import until

INVENTORY = "/inventory/v1"
ORDERS = f"{INVENTORY}/replacement-orders"
VENDOR = {"name": "Voltara"}


async def look(steward: Harness, at: datetime | None = None) -> None:
    """Looks at all components as the schedule does, at another time if one is given."""
    await EndOfLifeSchedule(steward.pools["inventory"], lambda: at or datetime.now(UTC), rest=0).look_at_all()


async def get(steward: Harness, path: str, **query: str | list[str]) -> Any:
    """What the administrator is answered."""
    answer = await steward.admin.get(f"{INVENTORY}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def years_ago(years: int) -> date:
    """The same day some years ago."""
    return months_after(datetime.now(UTC).date(), -12 * years)


@pytest.mark.seed("9")
@pytest.mark.seed("14")
async def test_a_drive_near_its_fifth_year_is_ordered_ahead_once(steward: Harness) -> None:
    """The order says by when and why; looking again raises no other; a young drive has none."""
    bought = months_after(datetime.now(UTC).date(), -58)
    old = await install(steward, "drive", name="Drive 3", purchase_date=bought.isoformat())
    young = await install(steward, "drive", purchase_date=years_ago(1).isoformat())
    await look(steward)
    await look(steward)
    [order] = (await get(steward, "replacement-orders"))["items"]
    due = months_after(bought, 60)
    assert (order["asset_id"], order["state"], order["ground"]) == (old["id"], "due", "age")
    assert (order["due"], order["order_by"]) == (due.isoformat(), (due - timedelta(days=90)).isoformat())
    event = await steward.heard.until("replacement.changed")
    assert (event.subject, event.data.due, event.data.name) == (old["id"], due, "Drive 3")
    later = await get(steward, f"components/{young['id']}/end-of-life")
    assert later["on"] == months_after(years_ago(1), 60).isoformat()
    assert sum(event.type == "replacement.changed" for event in steward.heard.events) == 1


@pytest.mark.seed("15")
async def test_power_on_hours_move_the_end_nearer(steward: Harness) -> None:
    """What a counter says outweighs the age; the reason names both numbers."""
    drive = await install(steward, "drive", purchase_date=years_ago(2).isoformat())
    reading = {"counter": "power_on_hours", "value": 43_000, "at": datetime.now(UTC).isoformat()}
    answer = await steward.admin.post(f"{INVENTORY}/assets/{drive['id']}/usage", json=reading)
    assert answer.is_success, answer.text
    end = await get(steward, f"components/{drive['id']}/end-of-life")
    assert [found["ground"] for found in end["candidates"]] == ["usage", "age"]
    assert "43000" in end["candidates"][0]["why"]
    await look(steward)
    [order] = (await get(steward, "replacement-orders"))["items"]
    assert order["ground"] == "usage"


@pytest.mark.seed("17")
async def test_a_ups_battery_has_a_clock_of_its_own(steward: Harness) -> None:
    """The UPS has ten years, its battery four: only the battery is ordered."""
    ups = await install(steward, "ups", purchase_date=years_ago(4).isoformat())
    battery = await install(steward, "battery", installed_in=ups["id"], purchase_date=years_ago(4).isoformat())
    await look(steward)
    [order] = (await get(steward, "replacement-orders"))["items"]
    assert (order["asset_id"], order["type"]) == (battery["id"], "battery")


async def test_the_support_end_of_the_product_ends_it(steward: Harness) -> None:
    """An announced end is a day; "not announced" is none and not unknown."""
    vendor = await post(steward, f"{INVENTORY}/vendors", VENDOR)
    told = {"source": "LN-2026-1", "stated_on": "2026-01-01"}
    ends = {"state": "ends_on", "on": "2027-06-30", **told}
    supported = {"vendor_id": vendor["id"], "name": "Array OS", "type": "software"}
    product = await post(steward, f"{INVENTORY}/products", supported | {"support": ends})
    other = supported | {"name": "Switch OS", "support": {"state": "not_announced", **told}}
    lasting = await post(steward, f"{INVENTORY}/products", other)
    ended = await install(steward, "software", product_id=product["id"], software_version="5")
    open_ = await install(steward, "software", product_id=lasting["id"], software_version="5")
    nothing = await install(steward, "software")
    seen = {one["id"]: await get(steward, f"components/{one['id']}/end-of-life") for one in (ended, open_, nothing)}
    assert (seen[ended["id"]]["on"], seen[ended["id"]]["ground"]) == ("2027-06-30", "support")
    assert (seen[open_["id"]]["on"], seen[open_["id"]]["unknown"]) == (None, [])
    assert (seen[nothing["id"]]["on"], seen[nothing["id"]]["unknown"]) == (None, ["support"])


@pytest.mark.seed("89")
async def test_the_report_counts_what_ends_in_which_budget_year(steward: Harness) -> None:
    """A year that begins in October has what ends on 1 October; what has ended is in the past, the unknown apart."""
    await install(steward, "server", purchase_date="2022-09-30")
    await install(steward, "server", purchase_date="2022-10-01")
    await install(steward, "server", site_id="south", purchase_date="2010-01-01")
    await install(steward, "server")
    await look(steward, datetime(2026, 11, 22, 12, tzinfo=UTC))
    lines = (await get(steward, "ends-of-life/budget", first_month="10"))["items"]
    counted = {(line["budget_year"], line["site_id"]): (line["components"], line["past"]) for line in lines}
    assert counted == {
        (2028, "north"): (1, 0),
        (2029, "north"): (1, 0),
        (2016, "south"): (1, 1),
        (None, "north"): (1, 0),
    }
    assert [line["budget_year"] for line in lines] == [2016, 2028, 2029, None]
    mine = (await steward.as_("bob", "viewer:south").get(f"{INVENTORY}/ends-of-life/budget")).json()["items"]
    assert {line["site_id"] for line in mine} == {"south"}


async def test_what_ends_first_comes_first_over_all_pages(steward: Harness) -> None:
    """So do the orders; what has no known end comes last; days and components narrow the list."""
    bought = [years_ago(4), None, years_ago(9), years_ago(6), None]
    dates = [{"purchase_date": day.isoformat()} if day else {} for day in bought]
    drives = [await install(steward, "drive", name=f"Drive {n}", **facts) for n, facts in enumerate(dates)]
    await look(steward)
    assert await names(steward, "ends-of-life") == ["Drive 2", "Drive 3", "Drive 0", "Drive 1", "Drive 4"]
    assert await names(steward, "replacement-orders") == ["Drive 2", "Drive 3"]
    today = datetime.now(UTC).date().isoformat()
    assert await names(steward, "ends-of-life", since=today) == ["Drive 0"]
    assert await names(steward, "ends-of-life", before=today) == ["Drive 2", "Drive 3"]
    some = await get(steward, "ends-of-life", asset_id=[drives[4]["id"], drives[0]["id"]])
    assert [end["name"] for end in some["items"]] == ["Drive 0", "Drive 4"]
    for path in ("ends-of-life", "replacement-orders"):
        refused = await steward.admin.get(f"{INVENTORY}/{path}", params={"cursor": "somewhere"})
        check_malformed(refused, "cursor")


async def names(steward: Harness, path: str, **query: str) -> list[str]:
    """What a list has, read one by one."""
    found: list[str] = []
    place: dict[str, str] = {}
    while True:
        page = await get(steward, path, limit="1", **query, **place)
        found += [item["name"] for item in page["items"]]
        if page["next"] is None:
            return found
        place = {"cursor": page["next"]}


async def test_an_order_is_placed_waived_and_settled(steward: Harness) -> None:
    """It stands again after its waiver, moves with a corrected date, and is settled when the component leaves."""
    battery = await install(steward, "battery", purchase_date=years_ago(4).isoformat())
    await look(steward)
    [order] = (await get(steward, "replacement-orders"))["items"]
    url = f"{ORDERS}/{order['id']}"
    seen = {"If-Match": '"1"'}
    check_malformed(await steward.admin.put(url, json={"state": "waived"}, headers=seen), "waived_until")
    assert (await steward.admin.put(url, json={"state": "ordered"})).status_code == 428
    until = datetime.now(UTC).date() + timedelta(days=10)
    waiver = {"state": "waived", "waived_until": until.isoformat(), "reason": "spare on the shelf"}
    assert (await steward.admin.put(url, json=waiver, headers=seen)).status_code == 200
    await look(steward)
    assert (await get(steward, "replacement-orders", state="due"))["items"] == []
    await look(steward, datetime.now(UTC) + timedelta(days=11))
    [anew] = (await get(steward, "replacement-orders", state="due"))["items"]
    assert anew["id"] != order["id"]
    assert (await get(steward, f"replacement-orders/{order['id']}"))["state"] == "settled"
    await change(steward, battery, purchase_date=years_ago(1).isoformat())
    await look(steward)
    assert (await get(steward, f"replacement-orders/{anew['id']}"))["state"] == "settled"
    late = await steward.admin.put(f"{ORDERS}/{anew['id']}", json={"state": "ordered"}, headers={"If-Match": '"2"'})
    assert late.status_code == 409


async def test_the_groups_rule_replaces_the_built_in_one(steward: Harness) -> None:
    """Its components are looked at anew; a site's people can't set it; the version guards it."""
    url = f"{INVENTORY}/end-rules/drive"
    drive = await install(steward, "drive", purchase_date=years_ago(3).isoformat())
    await look(steward)
    assert (await get(steward, "ends-of-life"))["items"][0]["on"] == months_after(years_ago(3), 60).isoformat()
    rule = {"rule": {"max_age_months": 36}}
    assert (await steward.as_("bob", "group-admin:north").put(url, json=rule)).status_code in {403, 428}
    seen = await steward.as_("eve", "viewer:south").get(url)
    assert (seen.headers["etag"], seen.json()["rule"]["max_age_months"]) == ('"0"', 60)
    first = {"If-Match": seen.headers["etag"]}
    assert (await steward.admin.put(url, json=rule, headers=first)).json()["version"] == 1
    assert (await steward.admin.put(url, json=rule, headers=first)).status_code == 412
    await look(steward)
    [end] = (await get(steward, "ends-of-life"))["items"]
    assert (end["asset_id"], end["on"]) == (drive["id"], datetime.now(UTC).date().isoformat())
    event = await steward.heard.until("end_rule.changed")
    assert (event.subject, event.data.max_age_months) == ("drive", 36)
    assert (await get(steward, "end-rules/drive"))["rule"]["max_age_months"] == 36
    assert (await get(steward, "end-rules/port"))["rule"]["max_age_months"] is None


async def test_what_is_told_later_moves_the_end_the_same_day(steward: Harness) -> None:
    """A counter's reading, and what the vendor says of the product, count at the next look, without a change of it."""
    vendor = await post(steward, f"{INVENTORY}/vendors", VENDOR)
    product = await post(steward, f"{INVENTORY}/products", {"vendor_id": vendor["id"], "name": "D9", "type": "drive"})
    drive = await install(steward, "drive", purchase_date=years_ago(1).isoformat(), product_id=product["id"])
    await look(steward)
    reading = {"counter": "wear_percent", "value": 91}
    assert (await steward.admin.post(f"{INVENTORY}/assets/{drive['id']}/usage", json=reading)).is_success
    await look(steward)
    assert (await get(steward, "ends-of-life"))["items"][0]["ground"] == "usage"
    stated = {"state": "ends_on", "on": "2020-01-31", "source": "LN-1", "stated_on": "2019-01-01"}
    body = {"vendor_id": vendor["id"], "name": "D9", "type": "drive", "support": stated}
    url = f"{INVENTORY}/products/{product['id']}"
    assert (await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})).is_success
    await look(steward)
    assert (await get(steward, "ends-of-life"))["items"][0]["on"] == "2020-01-31"


async def test_an_advisory_without_a_fix_ends_a_component_until_it_is_closed(
    steward: Harness, database: str, bus: PostgresBus
) -> None:
    """The order comes at once and is settled with the fix; a late word, or one of another site, changes nothing."""
    server = await install(steward, "server", purchase_date=years_ago(1).isoformat())
    told = AdvisoryPublished(
        advisory_id="ICSMA-26-001-01",
        title="Improper authentication",
        state="open",
        fixed_version=None,
        cvss=None,
        known_exploited=True,
        version=1,
    )
    pool = steward.pools["inventory"]
    async with speaking_as("maintenance", database, bus) as maintenance:
        await maintenance.say(told, subject=server["id"], site_id="south")
        await maintenance.say(told, subject=server["id"], site_id="north")
        await until(pool, "SELECT count(*) = 1 FROM advisories")
        await look(steward)
        [order] = (await get(steward, "replacement-orders"))["items"]
        assert (order["ground"], order["due"]) == ("advisory", datetime.now(UTC).date().isoformat())
        assert "ICSMA-26-001-01" in order["why"]
        closed = told.model_copy(update={"state": "closed", "version": 2})
        await maintenance.say(closed, told, subject=server["id"], site_id="north")
        await until(pool, "SELECT state = 'closed' FROM advisories")
        await look(steward)
    assert (await get(steward, f"replacement-orders/{order['id']}"))["state"] == "settled"


async def test_systems_have_no_end_of_their_own(steward: Harness) -> None:
    """Their components do."""
    system = await register_system(steward)
    assert (await steward.admin.get(f"{INVENTORY}/components/{system['id']}/end-of-life")).status_code == 404


async def test_what_lies_at_other_sites_is_not_shown(steward: Harness) -> None:
    """Neither ends nor orders."""
    drive = await install(steward, "drive", purchase_date=years_ago(6).isoformat())
    await look(steward)
    [order] = (await get(steward, "replacement-orders"))["items"]
    async with steward.as_("bob", "operator:south") as bob:
        assert (await bob.get(f"{COMPONENTS}/{drive['id']}")).status_code == 404
        for path in ("ends-of-life", "replacement-orders"):
            assert (await bob.get(f"{INVENTORY}/{path}")).json()["items"] == []
        assert (await bob.get(f"{ORDERS}/{order['id']}")).status_code == 404
        changed = await bob.put(f"{ORDERS}/{order['id']}", json={"state": "ordered"}, headers={"If-Match": '"1"'})
        assert changed.status_code == 404
