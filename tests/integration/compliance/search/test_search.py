"""Auditors find what happened, and nothing of sites that are not theirs."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.compliance.__main__ import build
from services.compliance.checkpoints.checkpoint import open_checkpoint
from services.compliance.log.proofs import verify_inclusion
from services.compliance.settings import ComplianceSettings
from shared.bus.postgres import PostgresBus
from shared.events.alerts import AlertResolved
from shared.events.inventory import SiteChanged
from tests.harness import Harness
from tests.integration.compliance.publishing import AUDITOR, Sender, sample_of, until_size
from tests.integration.conftest import Run
from tests.news import until
from tests.small_log import key_of

URL = "/compliance/v1/events"
KEY = key_of("steward.example-hospitals.org/log")
DATA = SiteChanged(name="Klinik Köln", time_zone="Europe/Berlin", version=1)
FOREIGN = urlsafe_b64encode(bytes(22)).rstrip(b"=").decode()
MALFORMED: tuple[dict[str, str], ...] = (
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
    {"cursor": "ä"},
    {"cursor": FOREIGN},
    {"limit": "0"},
    {"limit": "501"},
    {"limit": "1001"},
    {"limit": "many"},
    {"outcome": "fatal"},
    {"outcome": "1"},
    {"text": "ab"},
    {"text": "a\x00bc"},
    {"proofs": "perhaps"},
    {"author": "anna"},
    {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
    {"from": "2026-03-02T01:00:00+01:00", "to": "2026-03-02T00:00:00Z"},
)
UNREADABLE = ("actor=%FF", "text=abc%C3", "actor=%ED%A0%80", "actor=anna&%FE=1")
"""Addresses with bytes that are no UTF-8."""

MALFORMED_COUNTS: tuple[dict[str, str], ...] = (
    {"by": "actor"},
    {"by": ""},
    {"by": "day,,type"},
    {"by": "day," * 6},
    {"from": "soon"},
    {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
    {"limit": "3"},
)
OWN = ("log.manifest", "log.accessed")
"""What the log adds of itself while these tests ask it."""


@pytest.fixture
async def steward(run: Run, bus: PostgresBus, tmp_path: Path) -> AsyncIterator[Harness]:
    """Compliance with 12 events: of north, south and the group by turns, the first four by bob; and their checkpoint.

    Its one manifest is entry 12; no other follows while a test asks.
    """
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
    (tmp_path / "published").mkdir()
    options = {
        "log_published": tmp_path / "published" / "checkpoint",
        "log_key": KEY.reveal(),
        "log_checkpoint_interval": 300,
    }
    async with run(compliance=(build, ComplianceSettings, options)) as harness:
        await until_size(harness, 13)
        await until(harness.pools["compliance"], "SELECT EXISTS (SELECT FROM checkpoints)")
        yield harness


async def page(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    """One page."""
    answer = await client.get(URL, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def search(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """The items of the first page, but for the log's own, which each question adds to."""
    not_type = query.pop("not_type", [])
    left_out = [*OWN, *([not_type] if isinstance(not_type, str) else not_type)]
    items: list[dict[str, Any]] = (await page(client, not_type=left_out, **query))["items"]
    return items


def verify_shown(item: dict[str, Any], note: str) -> None:
    """Fails unless the entry is in the tree of the first checkpoint, or is newer and says so."""
    checkpoint = open_checkpoint(note.encode(), [KEY.verifier]).checkpoint
    assert checkpoint.size == 13
    if item["index"] >= checkpoint.size:
        assert item["proof"] is None
    else:
        leaf, proof = b64decode(item["leaf_hash"]), [b64decode(node) for node in item["proof"]]
        verify_inclusion(item["index"], checkpoint.size, leaf, proof, checkpoint.root)


async def test_flow_proves_itself(steward: Harness) -> None:
    """Each entry of it, at any depth, as on a page; and none where no proofs are asked for."""
    auditor = steward.as_("audrey", *AUDITOR)
    url = "/compliance/v1/flows/flow-bob"
    flow = (await auditor.get(url, params={"proofs": "true"})).json()
    bare = (await auditor.get(url)).json()
    assert len(flow["entries"]) == len(bare["entries"]) == 4
    for node, other in zip(flow["entries"], bare["entries"], strict=True):
        verify_shown(node["entry"], flow["checkpoint"])
        assert node["entry"]["index"] == other["entry"]["index"]
        assert "proof" not in other["entry"]
    assert (flow["pruned"], bare["checkpoint"]) == ([], flow["checkpoint"])


async def test_each_filter_and_any_mix_of_them(steward: Harness) -> None:
    """What is found is what has all that was asked for, the newest event first."""
    auditor = steward.as_("audrey", *AUDITOR)
    everything = await search(auditor)
    assert [item["index"] for item in everything] == sorted(
        range(12), key=lambda index: next(i["event"]["time"] for i in everything if i["index"] == index), reverse=True
    )
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
    assert await search(auditor, type=["alert.resolved", "site.changed"]) == everything
    assert await search(auditor, type="no.such.type") == []


async def test_text_is_found_whatever_its_case(steward: Harness) -> None:
    """Anywhere in the event as it was sent."""
    auditor = steward.as_("audrey", *AUDITOR)
    changed = [item for item in await search(auditor) if item["event"]["type"] == "site.changed"]
    assert await search(auditor, text="kLINIK KÖLN") == changed
    assert await search(auditor, text="klinik", limit=2) == changed[:2]
    assert await search(auditor, text="Klinik K%ln") == []


async def test_outcomes_by_name_and_by_number(steward: Harness) -> None:
    """As FHIR and DICOM count them; all of these succeeded."""
    auditor = steward.as_("audrey", *AUDITOR)
    everything = await search(auditor)
    assert await search(auditor, outcome="success") == await search(auditor, outcome=["0", "12"]) == everything
    assert await search(auditor, outcome=["minor", "serious", "major"]) == []


async def test_answer_proves_itself(steward: Harness) -> None:
    """Each entry is in the tree of the signed checkpoint that comes with the page; a newer one says that it is not."""
    auditor = steward.as_("audrey", *AUDITOR)
    found = await page(auditor, proofs="true", limit=500)
    while not any(item["index"] > 12 for item in found["items"]):
        found = await page(auditor, proofs="true", limit=500)
    for item in found["items"]:
        verify_shown(item, found["checkpoint"])
    assert all("proof" not in item for item in await search(auditor))


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
    by_time = await search(auditor, order="asc")
    times = [datetime.fromisoformat(item["event"]["time"]) for item in by_time]
    assert times == sorted(times)
    begin, end = by_time[3]["event"]["time"], by_time[8]["event"]["time"]
    found = await search(auditor, **{"from": begin, "to": end})
    assert found == by_time[3:8][::-1]


async def test_pages_in_both_orders_and_directions(steward: Harness) -> None:
    """Each page leads to the next, and back to the one before."""
    auditor = steward.as_("audrey", *AUDITOR)
    for order in ("desc", "asc"):
        query: dict[str, Any] = {"order": order, "not_type": OWN}
        everything = (await page(auditor, **query))["items"]
        pages = [await page(auditor, limit=5, **query)]
        while cursor := pages[-1]["next"]:
            pages.append(await page(auditor, limit=5, cursor=cursor, **query))
        assert [len(one["items"]) for one in pages] == [5, 5, 2]
        assert [item for one in pages for item in one["items"]] == everything
        assert pages[0]["previous"] is None
        back = pages[-1]
        for before in pages[-2::-1]:
            back = await page(auditor, limit=5, cursor=back["previous"], **query)
            assert back["items"] == before["items"]
        assert back["previous"] is None
        assert (await page(auditor, limit=5, cursor=back["next"], **query))["items"] == pages[1]["items"]


async def test_cursor_of_another_question_is_refused(steward: Harness) -> None:
    """It would lead to some place of that answer. How many items a page has, and proofs, are no part of a question."""
    auditor = steward.as_("audrey", *AUDITOR)
    cursor = (await page(auditor, limit=5, not_type=OWN, actor="alice"))["next"]
    mine = {"not_type": OWN, "actor": "alice", "cursor": cursor}
    assert (await page(auditor, limit=2, proofs="true", **mine))["items"]
    others: tuple[dict[str, Any], ...] = (
        {"actor": "bob"},
        {"not_type": OWN[0]},
        {"order": "asc"},
        {"site_id": "north"},
        {"from": "2026-01-01T00:00:00Z"},
        {"text": "klinik"},
    )
    for other in others:
        answer = await auditor.get(URL, params=mine | other)
        assert answer.status_code == 422, other
        assert "to the same question" in answer.json()["detail"]
    life = await auditor.get("/compliance/v1/assets/north-0/life", params={"cursor": cursor})
    assert life.status_code == 422


async def test_counts_are_those_of_the_entries(steward: Harness) -> None:
    """By one thing or several, in their order; of whole days, which it says."""
    auditor = steward.as_("audrey", *AUDITOR)

    async def counts(**query: Any) -> dict[str, Any]:
        answer = await auditor.get(f"{URL}/counts", params={"not_type": OWN, **query})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    by_type = await counts()
    assert [(item["type"], item["count"]) for item in by_type["items"]] == [("alert.resolved", 3), ("site.changed", 9)]
    assert by_type["is_exact"]
    by_site = await counts(by="site,type", type="alert.resolved", site_id="north")
    assert by_site["items"] == [{"day": None, "type": "alert.resolved", "site_id": "north", "count": 1}]
    times = sorted(item["event"]["time"] for item in await search(auditor))
    days = {day: sum(time[:10] == day for time in times) for day in {time[:10] for time in times}}
    by_day = await counts(by="day", **{"from": times[0], "to": times[-1]})
    assert {item["day"]: item["count"] for item in by_day["items"]} == days
    assert (by_day["first_day"], by_day["last_day"]) == (times[0][:10], times[-1][:10])
    assert not by_day["is_exact"]
    none = await counts(**{"from": "2001-01-01T00:00:00Z", "to": "2002-01-01T00:00:00Z"})
    assert (none["items"], none["first_day"], none["last_day"]) == ([], "2001-01-01", "2001-12-31")
    assert none["is_exact"]
    noah = await steward.as_("noah", "auditor:north").get(f"{URL}/counts", params={"by": "site", "not_type": OWN})
    assert noah.json()["items"] == [{"day": None, "type": None, "site_id": "north", "count": 4}]


async def test_counts_say_under_which_checkpoint_they_were_made(steward: Harness) -> None:
    """And of how many entries: all of those, whether they are signed yet or not."""
    auditor = steward.as_("audrey", *AUDITOR)
    counted = (await auditor.get(f"{URL}/counts")).json()
    assert open_checkpoint(counted["checkpoint"].encode(), [KEY.verifier]).checkpoint.size == 13
    assert counted["size"] == sum(item["count"] for item in counted["items"]) >= 13
    assert counted["pruned"] == []


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
    """The same item as in the list, with what proves it; what is not there is 404."""
    auditor = steward.as_("audrey", *AUDITOR)
    listed = await page(auditor, not_type=OWN, proofs="true", limit=1)
    [newest] = listed["items"]
    proved = newest | {"checkpoint": listed["checkpoint"]}
    assert (await auditor.get(f"{URL}/{newest['index']}", params={"proofs": "true"})).json() == proved
    verify_shown(proved, proved["checkpoint"])
    bare = (await auditor.get(f"{URL}/{newest['index']}")).json()
    assert bare == {name: value for name, value in proved.items() if name != "proof"}
    await until(steward.pools["compliance"], "SELECT size > 13 FROM head")
    accessed = [item for item in (await page(auditor, type="log.accessed"))["items"] if item["index"] > 12]
    later = (await auditor.get(f"{URL}/{accessed[0]['index']}", params={"proofs": "true"})).json()
    assert (later["proof"], later["checkpoint"]) == (None, listed["checkpoint"])
    for absent in (4711, 2**63 - 1):
        assert (await auditor.get(f"{URL}/{absent}")).status_code == 404


async def test_malformed_questions_are_refused(steward: Harness) -> None:
    """422 with the field, the rule and an example."""
    async with steward.as_("audrey", *AUDITOR) as auditor:
        for url, refused in ((URL, MALFORMED), (f"{URL}/counts", MALFORMED_COUNTS)):
            for query in refused:
                answer = await auditor.get(url, params=query)
                assert answer.status_code == 422, query
                [error] = answer.json()["errors"]
                assert error["field"].removesuffix(".0") in query
                assert error["rule"]
                assert error["example"]
        too_many = await auditor.get(URL, params={"limit": 501})
        assert too_many.json()["errors"][0]["example"] == "500"
        for encoded in UNREADABLE:
            for url, status in ((URL, 422), (f"{URL}/counts", 422), ("/compliance/v1/fhir/AuditEvent", 400)):
                answer = await auditor.get(f"{url}?{encoded}")
                assert (answer.status_code, "UTF-8" in answer.text) == (status, True), (url, encoded)
        for url in (f"{URL}/-1", f"{URL}/{2**63}", f"{URL}/x"):
            assert (await auditor.get(url)).status_code == 422
