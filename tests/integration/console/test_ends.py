"""The page of ends of life: what ends in which budget year and why, the orders, for whom, and when it can't be told."""

import re
from datetime import UTC, date, datetime
from typing import Any

from services.inventory.endoflife.domain import months_after
from tests.integration.console.hospital import HOSTILE, INVENTORY, Hospital, check_accessible, check_harmless, part_of
from tests.integration.inventory.components.parts import install

TODAY = datetime.now(UTC).date()
PAGE = "/ends-of-life"


async def drive(hospital: Hospital, name: str, ends: date, **facts: Any) -> dict[str, Any]:
    """A drive that is five years old on that day."""
    bought = months_after(ends, -60).isoformat()
    return await install(hospital.steward, "drive", name=name, purchase_date=bought, **facts)


def years_on(years: int) -> date:
    """The fifteenth of a month in some years."""
    return date(TODAY.year + years, TODAY.month, 15)


async def test_each_budget_year_says_what_ends_in_it_and_why(hospital: Hospital) -> None:
    """Counted by ground, type and site; one year's components are listed, the first to end first."""
    await drive(hospital, "Later", years_on(3).replace(day=20))
    first = await drive(hospital, "Sooner", years_on(3))
    await drive(hospital, "Elsewhere", years_on(2), site_id="south")
    await install(hospital.steward, "server", name="Undated")
    await hospital.look_at_ends()
    html = await hospital.page(PAGE, year=str(TODAY.year + 3))
    years = part_of(html, "years")
    row = years.split(f">{TODAY.year + 3}</a>")[1].split("</tr>")[0]
    for told in ('<td class="number">2</td>', "age 2", "drive 2", "Northfield General Hospital 2"):
        assert told in row
    assert re.search(r'No end known</th><td class="number">1</td>', years)
    ends = part_of(html, "ends")
    assert ends.index("Sooner") < ends.index("Later")
    assert f'<a href="/console/assets/{first["id"]}">Sooner</a>' in ends
    assert "age: bought on" in ends
    assert "not known</span> usage, support" in ends
    assert "Elsewhere" not in ends


async def test_budget_years_begin_with_the_month_that_is_chosen(hospital: Hospital) -> None:
    """What ends on the first of October belongs to the next year where it begins then."""
    await drive(hospital, "Autumn", date(TODAY.year + 3, 10, 1))
    await hospital.look_at_ends()
    assert "Autumn" in part_of(await hospital.page(PAGE, year=str(TODAY.year + 3)), "ends")
    assert "Autumn" not in part_of(await hospital.page(PAGE, year=str(TODAY.year + 3), first_month="10"), "ends")
    html = await hospital.page(PAGE, year=str(TODAY.year + 4), first_month="10")
    assert "Autumn" in part_of(html, "ends")
    assert '<option value="10" selected>October</option>' in html
    assert f"first_month=10&amp;year={TODAY.year + 4}#ends" in part_of(html, "years")


async def test_what_has_ended_and_is_still_in_use_stands_on_top(hospital: Hospital) -> None:
    """The overview tells of its order, which leads here."""
    await drive(hospital, "Old drive", years_on(-1))
    await hospital.look_at_ends()
    assert "1 order to place" in await hospital.page("/")
    html = await hospital.page(PAGE, ended="true")
    assert "1 still in use</span>" in part_of(html, "years")
    assert "ended</span>" in part_of(html, "ends")
    order = part_of(html, "orders").split("Old drive")[1]
    assert "overdue</span>" in order
    assert "Northfield General Hospital" in order


async def test_orders_are_shown_by_what_became_of_them(hospital: Hospital) -> None:
    """To place, placed with their reference, put off until when and why."""
    for name in ("First", "Second", "Third"):
        await drive(hospital, name, years_on(-1))
    await hospital.look_at_ends()
    admin = hospital.steward.admin
    items = (await admin.get(f"{INVENTORY}/replacement-orders")).json()["items"]
    ids = {order["name"]: order["id"] for order in items}
    until = date(TODAY.year + 1, 1, 31)
    decisions: dict[str, dict[str, str]] = {
        "First": {"state": "ordered", "reference": "PO-2026-118"},
        "Second": {"state": "waived", "waived_until": until.isoformat(), "reason": "spare is on the shelf"},
    }
    for name, decision in decisions.items():
        url = f"{INVENTORY}/replacement-orders/{ids[name]}"
        assert (await admin.put(url, json=decision, headers={"If-Match": '"1"'})).status_code == 200
    shown = {state: part_of(await hospital.page(PAGE, state=state), "orders") for state in ("due", "ordered", "waived")}
    assert [name for name in ids if name in shown["due"]] == ["Third"]
    assert re.search(r"First</a>.*ordered</span> PO-2026-118", shown["ordered"])
    assert re.search(rf"Second</a>.*put off</span> until .*31 Jan {until.year}.*spare is on the shelf", shown["waived"])


async def test_visitors_see_their_own_sites_and_can_choose_one(hospital: Hospital) -> None:
    """Another site is neither listed nor counted, nor reached by its name."""
    await drive(hospital, "Northern", years_on(-1))
    await drive(hospital, "Southern", years_on(-1), site_id="south")
    await hospital.look_at_ends()
    both = await hospital.page(PAGE, ended="true")
    assert "Northern" in both
    assert "Southern" in both
    assert "2 still in use</span>" in both
    one = await hospital.page(PAGE, ended="true", site_id="south")
    assert "Northern" not in one
    assert "site_id=south&amp;first_month=1&amp;ended=true" in one
    bob = hospital.visit("bob", "viewer:south")
    for query in ({"ended": "true"}, {"ended": "true", "site_id": "north"}, {"state": "due"}):
        text = (await bob.get(f"/console{PAGE}", params=query)).text
        assert "North" not in text
        assert ("Southern" in text) == ("site_id" not in query)


async def test_long_lists_have_pages(hospital: Hospital) -> None:
    """Of ends and of orders, each by itself; the site and the year that were chosen stay."""
    bought = months_after(years_on(-1), -60).isoformat()
    facts = {"site_id": "north", "type": "drive", "purchase_date": bought}
    rows = [{"name": f"Bay {n:02}"} | facts for n in range(1, 61)]
    await hospital.add("components/bulk", {"rows": rows})
    await hospital.look_at_ends()
    html = await hospital.page(PAGE, ended="true", site_id="north")
    for part, shown, left in (("ends", 50, 10), ("orders", 25, 25)):
        assert part_of(html, part).count("Bay ") == shown
        more = re.search(rf'href="(\?site_id=north&amp;[^"#]*ended=true[^"#]*{part}=[^"#]+)#{part}"', html)
        assert more
        page = (await hospital.visit().get(f"/console{PAGE}{more[1].replace('&amp;', '&')}")).text
        assert part_of(page, part).count("Bay ") == left
        assert f"Back to the first {part}" in page


async def test_a_group_without_components_is_told_what_to_do(hospital: Hospital) -> None:
    """No empty tables."""
    html = await hospital.page(PAGE)
    assert "No component in use is known here. Register them, or import a list." in html
    assert "None: whatever ends soon is ordered or put off." in html
    assert "<table>" not in html
    check_accessible(html)


async def test_each_part_that_inventory_does_not_tell_says_so(hospital: Hospital) -> None:
    """The others stand; nothing is said to be in order that is not known."""
    await drive(hospital, "Old drive", years_on(-1))
    await hospital.look_at_ends()
    for path, told in {
        "sites": "its sites are missing here",
        "ends-of-life": "its ends of life are missing here",
        "ends-of-life/budget": "its budget is missing here",
        "replacement-orders": "its replacement orders are missing here",
    }.items():
        hospital.between.failing = {f"{INVENTORY}/{path}": 500}
        html = await hospital.page(PAGE, ended="true")
        assert f"Inventory answered 500: {told}." in html
        assert "Old drive" in html
        check_accessible(html)
    hospital.between.failing = {"/inventory/.*": 502}
    html = await hospital.page(PAGE)
    for claim in ("whatever ends soon is ordered", "No component in use", "Nothing."):
        assert claim not in html


async def test_page_can_be_used_by_all(hospital: Hospital) -> None:
    """By keyboard, by ear, and in black and white."""
    await drive(hospital, "Old drive", years_on(-1))
    await hospital.look_at_ends()
    check_accessible(await hospital.page(PAGE, ended="true"))


async def test_hostile_names_stay_text(hospital: Hospital) -> None:
    """Of components and sites."""
    await hospital.add("sites", {"id": "west", "name": HOSTILE, "time_zone": "Europe/Lisbon"})
    await drive(hospital, HOSTILE, years_on(-1), site_id="west")
    await hospital.look_at_ends()
    check_harmless(await hospital.page(PAGE, ended="true", site_id="west"), 6)
