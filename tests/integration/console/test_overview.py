"""The overview page: what it shows, of whom it asks it, and what stands when a service does not."""

import re

import httpx
import pytest

from services.console.overview.rest import ask
from services.console.rest import StewardApi
from tests.integration.console.conftest import Visit
from tests.integration.console.group import (
    ALERTS,
    EVENTS,
    NODES,
    NOW,
    PATHS,
    RUNS,
    SITES,
    STANDINGS,
    SYSTEMS,
    TARGETS,
    WINDOWS,
    Group,
)
from tests.integration.console.hospital import HOSTILE, check_accessible, check_harmless


async def overview(visit: Visit, status: int = 200) -> str:
    """The page as the group's administrator and auditor gets it."""
    answer = await visit("alice", "group-admin:*", "auditor:*").get("/console/")
    assert answer.status_code == status, answer.text
    return " ".join(answer.text.split())


def section(html: str, site_id: str) -> str:
    """One site's part of the page."""
    return html.split(f'aria-labelledby="site-{site_id}"')[1].split("</section>")[0]


async def test_page_shows_each_site_with_what_a_night_shift_needs(visit: Visit) -> None:
    """Alerts, systems with versions, nodes with their last outcome, windows, backups and the audit trail."""
    html = await overview(visit)
    north, south = section(html, "north"), section(html, "south")
    assert "1 open alert" in html.split("<main")[0]
    assert "all probes ok" in html.split("<main")[0]
    for told in (
        "critical",
        "connection refused",
        "ben: The vendor is on the way.",
        "12.3",
        "NORTH_PACS",
        "Archive upgrade to 12.4",
        "OUTAGE",
    ):
        assert told in north
    assert re.search(r'North archive, storage</a></th> <td class="text"> <div> *<span class="mark bad">', north)
    assert "not probed: the node is isolated" in north
    assert "The repository is locked by another host since yesterday." in north
    assert north.index("failed</span> <br>The repository") < north.index("done</span>")
    assert "700.0 MiB, 1412 files" in south
    assert "Archive upgrade" not in south
    assert "window.scheduled" in html
    for routine in ("probe.result", "alert.transitioned", "log.manifest", "log.accessed"):
        assert routine not in html
    assert "Old archive" not in html
    assert "Not everything is on this page" not in html


async def test_alerts_tell_who_has_them_and_what_is_kept_back_or_not_known(visit: Visit) -> None:
    """Acknowledged and flapping stand with the alert; unknown and suppressed with the node, beside what was seen."""
    north = section(await overview(visit), "north")
    assert re.search(r"flapping</span>.*acknowledged</span> <span class=\"quiet\">ben: The vendor", north)
    scanner = north.split("CT 2, emergency</a></th>")[1].split("</tr>")[0]
    assert re.search(r"ok</span> .*unknown</span> <span class=\"quiet\">dicom-echo: not heard of any more", scanner)
    assert re.search(r"suppressed</span> <span class=\"quiet\">dicom-echo: North archive, storage is down", scanner)


async def test_reports_that_nobody_has_closed_are_shown(visit: Visit) -> None:
    """With what, where, and whom to call back; a site without one has no such part."""
    html = await overview(visit)
    north = section(html, "north")
    for told in (
        "Open reports by staff",
        "Images load slowly in the ED",
        "reading room 2",
        "Dr. Weber, 4711",
    ):
        assert told in north
    assert re.search(r"\(\d+ min ago\)", north.split("Images load slowly in the ED</th>")[1].split("</tr>")[0])
    assert "Open reports" not in section(html, "south")


async def test_what_must_be_ordered_is_counted_and_leads_to_the_page_about_it(visit: Visit) -> None:
    """Apart from what comes too late already."""
    html = await overview(visit)
    assert re.search(r'1 late</span> <a href="/console/ends-of-life\?site_id=north">2 orders to place', html)
    assert "to place" not in section(html, "south")


async def test_systems_nodes_and_what_alerts_are_about_lead_to_their_pages(visit: Visit, group: Group) -> None:
    """The vantage that an alert may be about has none."""
    html = await overview(visit)
    for path in (SYSTEMS, NODES):
        shown = [item for item in group.lists_as_json(path) if item["state"] != "closed"]
        for item in shown:
            assert f'<a href="/console/assets/{item["id"]}">{item["name"]}</a>' in html
    group.lists[ALERTS] = [item | {"subject": "north-dc1"} for item in group.lists_as_json(ALERTS)]
    assert "/console/assets/north-dc1" not in await overview(visit)


async def test_a_site_with_a_probe_that_is_not_heard_of_is_not_called_well(visit: Visit, group: Group) -> None:
    """The last result may be an old ok."""
    group.lists[ALERTS] = []
    assert "1 probe not heard of" in (await overview(visit)).split("<main")[0]
    group.failing = {STANDINGS: 500}
    assert "all probes ok" not in await overview(visit)


async def test_services_are_asked_with_the_visitors_own_token(visit: Visit, group: Group) -> None:
    """The console has no rights of its own."""
    browser = visit("alice", "viewer:north")
    await browser.get("/console/")
    assert group.tokens == {f"Bearer {browser.cookies['steward_console']}"}


@pytest.mark.parametrize("path", PATHS)
async def test_a_part_that_fails_says_so_and_the_rest_stands(visit: Visit, group: Group, path: str) -> None:
    """Each service alone may answer with an error."""
    group.failing[path] = 500
    html = await overview(visit)
    service, noun = path.split("/")[1].capitalize(), path.rpartition("/")[2].replace("-", " ")
    assert f"{service} answered 500: its {noun} are missing here." in html
    stands = {SITES: "north", SYSTEMS: "Northfield", WINDOWS: "Northfield"}.get(path, "Archive upgrade to 12.4")
    assert stands in html


async def test_services_that_never_answer_do_not_hold_the_page_up(group: Group) -> None:
    """After its patience the page goes without them, and without their parts it claims nothing."""
    group.hanging = {ALERTS, TARGETS}
    async with StewardApi("http://steward", httpx.ASGITransport(group), seconds=5.0).asking("token") as asking:
        answers = await ask(asking, NOW)
    assert answers.alerts.trouble == "Probes does not answer: its alerts are missing here"
    assert len(answers.nodes.items) == 4


async def test_what_is_not_known_is_never_called_well(visit: Visit, group: Group) -> None:
    """Without alerts or results, no site is shown as all right."""
    group.failing = {ALERTS: 503, TARGETS: 503}
    html = await overview(visit)
    assert html.split("<main")[0].count("not known") == 2
    assert "all probes ok" not in html


async def test_the_sites_of_other_parts_are_shown_when_inventory_is_away(visit: Visit, group: Group) -> None:
    """An open alert must be seen even when nobody can say what the site is called."""
    group.failing = {SITES: 502, SYSTEMS: 502, NODES: 502}
    html = await overview(visit)
    assert "connection refused" in section(html, "north")


async def test_what_the_visitor_may_not_see_is_no_trouble(visit: Visit, group: Group) -> None:
    """A viewer has no audit trail; that is not a part that failed."""
    group.failing = {EVENTS: 403}
    html = await overview(visit)
    assert "Your roles do not cover this." in html
    assert "Not everything is on this page" not in html


async def test_long_lists_are_read_to_their_end(visit: Visit, group: Group) -> None:
    """Pages are followed by their cursor."""
    group.page = 2
    assert "South archive, storage" in await overview(visit)


async def test_broken_answers_leave_out_only_what_is_broken(visit: Visit, group: Group) -> None:
    """An item of another shape is left out and counted."""
    group.lists[RUNS] = [*group.lists[RUNS], {"id": "x"}, {"site_id": 7}]
    html = await overview(visit)
    assert "Backup: 2 of its runs can&#39;t be read and are left out." in html
    assert "700.0 MiB" in html


async def test_hostile_names_stay_text(visit: Visit, group: Group) -> None:
    """Whatever a name, a summary or an actor holds, nothing of it becomes markup or is evaluated."""
    for path in PATHS:
        group.lists[path] = [hostile(item) for item in group.lists_as_json(path)]
    check_harmless(await overview(visit), 20)


def hostile(item: dict[str, object]) -> dict[str, object]:
    """The item with hostile text in every field of free text."""
    free = ("name", "asset_name", "summary", "detail", "check", "title", "contact", "reason", "impact", "actor", "kind")
    changed: dict[str, object] = {}
    for key, value in item.items():
        if isinstance(value, dict):
            changed[key] = hostile(value) if key != "software" else {"vendor": HOSTILE, "version": HOSTILE}
        elif isinstance(value, list):
            changed[key] = [hostile(entry) if isinstance(entry, dict) else entry for entry in value]
        else:
            changed[key] = HOSTILE if key in free and value is not None else value
    return changed


async def test_hostile_site_ids_do_not_leave_their_attribute(visit: Visit, group: Group) -> None:
    """Inventory would refuse such an id; the page does not rely on that."""
    group.lists[SITES] = [{"id": '"><b>', "name": "x", "time_zone": "../../etc/passwd"}]
    html = await overview(visit)
    assert "<b>" not in html
    assert "&#34;&gt;&lt;b&gt;" in html


async def test_page_is_accessible_without_colour_or_script(visit: Visit) -> None:
    """By keyboard, by ear, and in black and white."""
    check_accessible(await overview(visit))
