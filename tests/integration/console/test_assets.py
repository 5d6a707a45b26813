"""The page of an asset: all that inventory knows of it, for whom, and what stands when inventory does not answer."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.console.hospital import (
    ALERTS,
    HOSTILE,
    INVENTORY,
    NOBODY,
    Hospital,
    check_accessible,
    check_harmless,
    part_of,
)
from tests.integration.inventory.components.parts import install
from tests.integration.inventory.earning import give
from tests.integration.inventory.requests import SOFTWARE, SYSTEM, move, register_node, register_system

TODAY = datetime.now(UTC).date()
LEVEL = {
    "name": "Northlight service desk",
    "phone": "+31 20 555 0100",
    "hours": "at any time",
    "time_zone": "Europe/Amsterdam",
    "response_minutes": 60,
}
SUPPORT = {
    "kind": "support",
    "number": "SUP-2026-114",
    "starts": "2024-01-01",
    "escalation": [LEVEL],
}


async def contract(hospital: Hospital, asset: dict[str, Any], days: int, **facts: Any) -> None:
    """A contract of a vendor that covers the asset until so many days from now."""
    vendor = await hospital.add("vendors", {"name": facts.pop("vendor", "Northlight Imaging GmbH")})
    ends = (TODAY + timedelta(days=days)).isoformat()
    covers = {"site_id": "north", "vendor_id": vendor["id"], "ends": ends, "asset_ids": [asset["id"]]}
    await hospital.add("contracts", SUPPORT | covers | facts)


async def test_the_line_of_states_says_what_is_past_present_and_to_come(hospital: Hospital) -> None:
    """With the time at the site; what no record tells of is not claimed."""
    system = await register_system(hospital.steward)
    life = part_of(await hospital.page(f"/assets/{system['id']}"), "life")
    assert life.count("not recorded") == 5
    assert re.search(r'aria-current="step"><span aria-hidden="true">●</span> <strong>in service</strong>', life)
    fan = await install(hospital.steward, "other", name="Fan", state="proposed")
    await move(hospital.steward, fan, "planned")
    life = part_of(await hospital.page(f"/assets/{fan['id']}"), "life")
    assert "</span> proposed <small>passed</small>" in life
    assert re.search(r"<strong>planned</strong> <small>now, since <time[^>]*>\d+ \w+ \d{4}, \d\d:\d\d</time>", life)
    assert re.search(r"closed <small>to come</small>", life)
    assert "not recorded" not in life


async def test_a_cancelled_asset_has_an_end_beside_the_line(hospital: Hospital) -> None:
    """No state is still to come."""
    fan = await install(hospital.steward, "other", name="Fan", state="proposed")
    await move(hospital.steward, fan, "cancelled")
    html = await hospital.page(f"/assets/{fan['id']}")
    assert "<strong>cancelled</strong>" in part_of(html, "life")
    assert "to come" not in part_of(html, "life")
    assert "Nothing comes after this state." in html


async def test_the_next_gate_is_a_check_list_in_words(hospital: Hospital) -> None:
    """What is missing and how to get it, what is there and by whom, what is waived until when, at the site."""
    system = await register_system(hospital.steward, state="proposed")
    await give(hospital.steward, system, "budget")
    until = datetime(TODAY.year, TODAY.month, TODAY.day, 23, 30, tzinfo=UTC) + timedelta(days=40)
    wish = {"kind": "capacity_forecast", "reason": "The figures come later.", "expires_at": until.isoformat()}
    waiver = await hospital.add(f"assets/{system['id']}/waivers", wish)
    ben = hospital.steward.as_("ben", "approver:north")
    approval = {"reason": "There is room."}
    match = {"If-Match": '"1"'}
    assert (await ben.post(f"{INVENTORY}/waivers/{waiver['id']}/approval", json=approval, headers=match)).is_success
    asked = {"kind": "risk_analysis", "reason": "A draft is there.", "expires_at": until.isoformat()}
    await hospital.add(f"assets/{system['id']}/waivers", asked)
    life = part_of(await hospital.page(f"/assets/{system['id']}"), "life")
    gate = life.split('<h3 id="gate">')[1].split("<details>")[0]
    assert "Next: planned" in gate
    assert "3 missing</span>" in gate
    assert re.search(r"missing</span> <div><strong>Needs assessment</strong>: nothing was recorded\.", gate)
    assert "How to get it: Upload it with POST /inventory/v1/documents (kind needs_assessment)" in gate
    assert re.search(
        r"met</span> <div><strong>Budget</strong> <br><span class=\"quiet\">document report, admin, <time", gate
    )
    there = until.astimezone(ZoneInfo("Europe/Berlin"))
    ends = f"{there.day} {there:%b %Y, %H:%M}"
    assert re.search(rf"waived</span> <div><strong>Capacity forecast</strong> .*until <time[^>]*>{ends}", gate)
    assert "asked for by admin, approved by ben: The figures come later." in gate
    assert re.search(r"Risk analysis</strong>.*waiver asked for</span> by admin until .*A draft is there\.", gate)
    assert gate.index("missing</span>") < gate.index("met</span>")
    assert re.search(r"<summary>Or: cancelled ", life)


async def test_what_ran_already_shows_what_it_never_proved(hospital: Hospital) -> None:
    """As a debt beside the next gates, which are those of its state."""
    system = await register_system(hospital.steward)
    life = part_of(await hospital.page(f"/assets/{system['id']}"), "life")
    assert "Next: retiring" in life
    assert re.search(r"<summary>Never proved, since it ran already when it was registered: \d+", life)
    assert "owed</span> <div><strong>" in life


async def test_components_stand_with_their_ends_and_lead_to_their_own_pages(hospital: Hospital) -> None:
    """Kind, maker, model, serial number, state and end of life; what is installed in one stands on its own page."""
    system = await register_system(hospital.steward)
    bought = TODAY.replace(year=TODAY.year - 6, day=1).isoformat()
    array = await install(
        hospital.steward, "array", name="Store A", system_id=system["id"], manufacturer="Halden", purchase_date=bought
    )
    drive = await install(
        hospital.steward, "drive", name="Drive 3", installed_in=array["id"], serial="SQ-1", purchase_date=bought
    )
    await hospital.look_at_ends()
    components = part_of(await hospital.page(f"/assets/{system['id']}"), "components")
    assert f'<a href="/console/assets/{array["id"]}">Store A</a>' in components
    for told in ("array", "Halden", "in service", "ended</span>", "age: bought on"):
        assert told in components
    html = await hospital.page(f"/assets/{array['id']}")
    assert f'<a href="/console/assets/{system["id"]}">North archive</a>' in part_of(html, "asset")
    assert "SQ-1" in part_of(html, "components")
    html = await hospital.page(f"/assets/{drive['id']}")
    assert f'<a href="/console/assets/{array["id"]}">Store A</a>' in part_of(html, "asset")
    assert "ended</span>" in part_of(html, "asset")


async def test_what_it_needs_and_what_falls_with_it_are_led_to(hospital: Hospital) -> None:
    """Both ways, over more than one step; its own nodes are no news."""
    steward = hospital.steward
    viewer, archive = [await register_system(steward, name=name) for name in ("Viewer", "Archive")]
    node = await register_node(steward, archive)
    database = await install(steward, "database", name="Database")
    for origin, end in ((viewer, archive), (archive, database)):
        link = {"kind": "depends_on", "from_id": origin["id"], "to_id": end["id"], "note": "keeps its worklist there"}
        await hospital.add("links", link)
    needs = part_of(await hospital.page(f"/assets/{archive['id']}"), "needs")
    falls, joined = needs.split('<h3 id="links">')
    assert f'<a href="/console/assets/{viewer["id"]}">Viewer</a>' in falls
    assert node["id"] not in falls
    assert re.search(rf'depends on</td><th scope="row"><a href="/console/assets/{database["id"]}">Database', joined)
    assert "keeps its worklist there" in joined
    falls = part_of(await hospital.page(f"/assets/{database['id']}"), "needs").split('<h3 id="links">')[0]
    assert "depends on this" in falls
    assert "over 2 steps" in falls


async def test_contracts_that_end_first_come_first_with_whom_to_call(hospital: Hospital) -> None:
    """One that is over and provided for by nobody is shown, one that was let lapse is not."""
    system = await register_system(hospital.steward)
    await contract(hospital, system, 400)
    await contract(hospital, system, 20, vendor="Voltara", kind="warranty", number="W-1", escalation=[])
    await contract(hospital, system, -5, vendor="Halden", kind="lease", number="L-1", escalation=[])
    await contract(hospital, system, -9, vendor="Kestrel", kind="lease", number="L-2", escalation=[], let_lapse=True)
    shown = part_of(await hospital.page(f"/assets/{system['id']}"), "contracts")
    assert re.search(r"Halden<br>.*L-1.*ended</span>.*Voltara<br>.*W-1.*ends soon</span>.*SUP-2026-114", shown)
    assert "in 20 days" in shown
    assert "Northlight service desk <strong>+31 20 555 0100</strong>" in shown
    assert "L-2" not in shown
    assert "nobody to call" not in shown


async def test_a_system_that_nobody_supports_says_so(hospital: Hospital) -> None:
    """And what is to be done."""
    system = await register_system(hospital.steward)
    shown = part_of(await hospital.page(f"/assets/{system['id']}"), "contracts")
    assert "nobody to call</span> no support contract in force covers the system: register one" in shown


async def test_the_latest_changes_stand_first_with_who_and_why(hospital: Hospital) -> None:
    """Field by field; the older ones are a link away."""
    system = await register_system(hospital.steward)
    eva = hospital.steward.as_("eva", "operator:north")
    for number in range(1, 17):
        body = {"name": SYSTEM["name"], "software": SOFTWARE | {"version": f"6.{number}"}}
        headers = {"If-Match": f'"{number}"', "Change-Reason": f"order {number}"}
        url = f"{INVENTORY}/systems/{system['id']}"
        assert (await eva.put(url, json=body, headers=headers)).status_code == 200
    page = await hospital.page(f"/assets/{system['id']}")
    changes = part_of(page, "changes")
    first, second = changes.index("order 16"), changes.index("order 15")
    assert first < second
    row = changes.split("<tr>")[2]
    assert "eva" in row
    assert re.search(r"software\.version: 6\.15 .*<strong>6\.16</strong>", row)
    assert "registered" not in changes
    more = re.search(r'href="(\?changes=[^"#]+)#changes">More changes', changes)
    assert more
    answer = await hospital.visit().get(f"/console/assets/{system['id']}{more[1]}")
    older = part_of(answer.text, "changes")
    assert "registered" in older
    assert "order 16" not in older
    assert "Back to the first changes" in older


async def test_long_lists_of_components_have_pages(hospital: Hospital) -> None:
    """Each shows a part, the link leads to the next."""
    system = await register_system(hospital.steward)
    rows = [
        {"site_id": "north", "type": "drive", "name": f"Bay {n:02}", "system_id": system["id"]} for n in range(1, 61)
    ]
    await hospital.add("components/bulk", {"rows": rows})
    assert await shown_by_page(hospital, system["id"], "components", "Bay ") == [50, 10]


async def test_long_lists_of_nodes_have_pages(hospital: Hospital) -> None:
    """As those of components."""
    system = await register_system(hospital.steward)
    for n in range(51):
        await register_node(hospital.steward, system, name=f"Modality {n:02}", port=20_000 + n)
    assert await shown_by_page(hospital, system["id"], "nodes", "Modality ") == [50, 1]


async def shown_by_page(hospital: Hospital, asset_id: str, part: str, text: str) -> list[int]:
    """How often a text stands in a part of an asset's page, and in the one that its link leads to."""
    shown = part_of(await hospital.page(f"/assets/{asset_id}"), part)
    more = re.search(rf'href="(\?{part}=[^"#]+)#{part}">More {part}', shown)
    assert more
    answer = await hospital.visit().get(f"/console/assets/{asset_id}{more[1]}")
    return [shown.count(text), part_of(answer.text, part).count(text)]


async def test_open_alerts_of_an_asset_and_its_nodes_stand_first(hospital: Hospital) -> None:
    """Those of others do not."""
    system = await register_system(hospital.steward)
    node = await register_node(hospital.steward, system)
    alert = {"site_id": "north", "check": "dicom-echo", "severity": "critical", "since": "2026-03-01T22:00:00Z"}
    hospital.between.told[ALERTS] = [
        alert | {"subject": node["id"], "system_id": system["id"], "asset_name": "Storage", "summary": "refused"},
        alert | {"subject": NOBODY, "system_id": NOBODY, "asset_name": "Elsewhere", "summary": "slow"},
    ]
    top = part_of(await hospital.page(f"/assets/{system['id']}"), "asset")
    assert re.search(rf'critical</span> <a href="/console/assets/{node["id"]}">Storage</a>: refused', top)
    assert "Elsewhere" not in top
    assert "refused" in part_of(await hospital.page(f"/assets/{node['id']}"), "asset")


async def test_another_sites_asset_is_as_if_it_were_not_there(hospital: Hospital) -> None:
    """The page is that of an asset that does not exist, as the API's answer is; an id that is none gets it too."""
    system = await register_system(hospital.steward)
    bob = ("bob", "site-admin:south", "auditor:south")
    texts = set()
    for asset_id in (system["id"], NOBODY, "x" * 36, "<script>"):
        answer = await hospital.visit(*bob).get(f"/console/assets/{asset_id}")
        assert answer.status_code == 404
        texts.add(re.sub(r"<time.*?</time>", "", answer.text))
        assert "North archive" not in answer.text
    assert len(texts) == 1
    assert "There is no such asset" in texts.pop()
    assert (await hospital.steward.as_(*bob).get(f"{INVENTORY}/assets/{system['id']}")).status_code == 404


async def test_who_has_no_role_to_look_is_told_so(hospital: Hospital) -> None:
    """The key of a service reads no assets."""
    system = await register_system(hospital.steward)
    hospital.between.failing = {f"{INVENTORY}/assets/.*": 403}
    html = await hospital.page(f"/assets/{system['id']}", status=403)
    assert "Your roles do not cover this." in html


async def test_when_inventory_is_away_the_page_says_so_and_the_overview_stands(hospital: Hospital) -> None:
    """503, with the way to what the other services know."""
    system = await register_system(hospital.steward)
    hospital.between.failing = {"/inventory/.*": 502}
    html = await hospital.page(f"/assets/{system['id']}", status=503)
    assert "Inventory answered 502: its asset is missing here. Nothing is lost: look again in a moment." in html
    assert '<a href="/console/">' in html
    check_accessible(html)
    assert "Not everything is on this page" in await hospital.page("/")


PARTS = {
    f"{INVENTORY}/sites/north": "Inventory answered 500: its site is missing here",
    f"{INVENTORY}/assets/.*/gates": "Inventory answered 500: its gates are missing here",
    f"{INVENTORY}/assets/.*/evidence": "its evidence is missing here",
    f"{INVENTORY}/assets/.*/waivers": "its waivers are missing here",
    f"{INVENTORY}/assets/.*/transitions": "its transitions are missing here",
    f"{INVENTORY}/assets/.*/links": "its links are missing here",
    f"{INVENTORY}/assets/.*/impact": "its dependents are missing here",
    f"{INVENTORY}/assets": "its assets are missing here",
    f"{INVENTORY}/contracts": "its contracts are missing here",
    f"{INVENTORY}/vendors/.*": "its vendors are missing here",
    f"{INVENTORY}/systems/.*/support": "its support is missing here",
    f"{INVENTORY}/nodes": "its nodes are missing here",
    f"{INVENTORY}/components": "its components are missing here",
    f"{INVENTORY}/ends-of-life": "its ends of life are missing here",
    f"{INVENTORY}/history": "its history is missing here",
    ALERTS: "Probes answered 500: its alerts are missing here",
}


async def test_a_part_that_fails_says_so_and_the_rest_stands(hospital: Hospital) -> None:
    """Each alone; the name of the asset, and the sections of all others, are there."""
    system = await register_system(hospital.steward)
    await register_node(hospital.steward, system)
    await contract(hospital, system, 100)
    drive = await install(hospital.steward, "drive", system_id=system["id"])
    await hospital.add("links", {"kind": "depends_on", "from_id": system["id"], "to_id": drive["id"]})
    for path, told in PARTS.items():
        hospital.between.failing = {path: 500}
        html = await hospital.page(f"/assets/{system['id']}")
        assert told in html, path
        assert "Not everything is on this page" in html
        assert "North archive" in part_of(html, "asset")
        assert html.count("</section>") == 8, path
        check_accessible(html)


async def test_what_is_not_known_is_never_called_well(hospital: Hospital) -> None:
    """Without alerts or gates none is said to be missing, nor met."""
    system = await register_system(hospital.steward)
    hospital.between.failing = {ALERTS: 500, f"{INVENTORY}/assets/.*/(gates|transitions)": 500}
    html = await hospital.page(f"/assets/{system['id']}")
    assert "No open alert" not in html
    assert "not known now" in part_of(html, "life")
    for claim in ("not recorded", "missing</span>", "met</span>", "Nothing comes after"):
        assert claim not in part_of(html, "life")


@pytest.mark.parametrize("kind", ["system", "node", "component"])
async def test_each_kind_of_asset_has_a_page_that_all_can_use(hospital: Hospital, kind: str) -> None:
    """Also where nothing is known of it but its name; what it has not, it is not asked for."""
    system = await register_system(hospital.steward)
    made = {
        "system": system,
        "node": await register_node(hospital.steward, system),
        "component": await install(hospital.steward, "drive"),
    }
    html = await hospital.page(f"/assets/{made[kind]['id']}")
    check_accessible(html)
    assert "Not everything is on this page" not in html
    assert ("DICOM nodes" in html) == (kind == "system")
    assert ('<h2 id="components">' in html) == (kind != "node")


async def test_hostile_names_stay_text(hospital: Hospital) -> None:
    """Of the asset, its parts, its contracts, what it needs, and the reasons of those who changed it."""
    steward = hospital.steward
    software = {"vendor": HOSTILE, "product": HOSTILE, "version": HOSTILE}
    system = await hospital.add(
        "systems", SYSTEM | {"name": HOSTILE, "software": software}, **{"Change-Reason": HOSTILE}
    )
    await register_node(steward, system, name=HOSTILE)
    facts = {"name": HOSTILE, "manufacturer": HOSTILE, "model": HOSTILE, "serial": HOSTILE}
    other = await install(steward, "server", **facts, system_id=system["id"])
    await hospital.add("links", {"kind": "depends_on", "from_id": system["id"], "to_id": other["id"], "note": HOSTILE})
    level = LEVEL | {"name": HOSTILE, "hours": HOSTILE}
    await contract(hospital, system, 20, vendor=HOSTILE, number=HOSTILE, escalation=[level])
    wish = {"kind": "replacement_plan", "reason": HOSTILE, "expires_at": f"{TODAY + timedelta(days=9)}T22:00:00Z"}
    await hospital.add(f"assets/{system['id']}/waivers", wish)
    check_harmless(await hospital.page(f"/assets/{system['id']}"), 15)
    check_harmless(await hospital.page(f"/assets/{other['id']}"), 6)
