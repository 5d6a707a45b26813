"""Exports over HTTP, out of a log that runs."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle

from services.compliance.export.evidence import Evidence
from services.compliance.export.package import verify_evidence
from shared.bus.postgres import PostgresBus
from tests.conftest import execute
from tests.integration.compliance.log.live import KEY, LiveLog, live_log
from tests.integration.conftest import Run
from tests.news import until

URL = "/compliance/v1/export"


@pytest.fixture
async def log(run: Run, bus: PostgresBus, database: str, tmp_path: Path) -> AsyncIterator[LiveLog]:
    """A log that runs, of two sites and the group."""
    async with live_log(run, bus, database, tmp_path) as log:
        yield log


async def export(client: httpx.AsyncClient, form: str, **query: Any) -> httpx.Response:
    """A whole export."""
    answer = await client.get(URL, params={"format": form} | query)
    assert answer.status_code == 200, answer.text
    return answer


async def lines(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """The entries of an export as lines of JSON, which must be whole."""
    *entries, closing = map(json.loads, (await export(client, "ndjson", **query)).content.splitlines())
    assert closing == {"complete": True, "entries": len(entries)}
    return entries


async def test_every_format_has_every_event(log: LiveLog) -> None:
    """Through several pages, and each under its own name and media type."""
    await log.grow(700)
    entries = await lines(log.auditor, type="site.changed")
    assert len(entries) == 700
    assert [entry["event"]["time"] for entry in entries] == sorted(entry["event"]["time"] for entry in entries)
    table = await export(log.auditor, "csv", type="site.changed")
    assert len(table.text.splitlines()) == 702
    assert table.headers["content-disposition"] == 'attachment; filename="steward-audit-all.csv"'
    messages = await export(log.auditor, "dicom", type="site.changed")
    assert len(fromstring(messages.content)) == 700  # noqa: S314 -- we have just made it
    bundle = await export(log.auditor, "fhir", type="site.changed")
    assert bundle.headers["content-type"] == "application/fhir+json"
    Bundle.model_validate_json(bundle.content)
    told = bundle.json()["entry"]
    assert [entry["resource"]["id"] for entry in told] == [str(entry["index"]) for entry in entries]
    assert (await log.auditor.get(told[0]["fullUrl"])).json() == told[0]["resource"]


async def test_an_export_is_narrowed_as_a_search_is(log: LiveLog) -> None:
    """By site, type, subject, actor, outcome, flow and time."""
    await log.grow(30)
    await log.grow(30)
    everything = await lines(log.auditor)
    own = [entry for entry in everything if entry["site_id"] == "south"]
    assert 0 < len(own) < len(everything)
    assert await lines(log.auditor, site_id="south") == own
    middle = everything[40]["event"]["time"]
    found = await lines(log.auditor, **{"from": middle, "type": "site.changed"})
    assert found == [
        entry for entry in everything if entry["event"]["time"] >= middle and entry["event"]["type"] == "site.changed"
    ]
    assert await lines(log.auditor, actor="nobody") == []
    assert await lines(log.auditor, outcome="major") == []


async def test_an_export_that_ends_before_it_begins_is_refused(log: LiveLog) -> None:
    """It would be a whole file of nothing."""
    times = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
    for form in ("ndjson", "csv", "fhir", "dicom"):
        refused = await log.auditor.get(URL, params={"format": form} | times)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "to")


async def test_a_whole_export_names_what_was_pruned_of_its_time(log: LiveLog, database: str) -> None:
    """So nobody takes it for all that ever was; an export of another time says nothing of it."""
    await log.grow(3)
    await execute(
        database,
        """INSERT INTO compliance.partitions (number, first_time, last_time, pruned_at, location)
           VALUES (7, '2026-01-01', '2026-01-31', now(), 's3://archive/log')""",
    )
    width = await log.steward.pools["compliance"].fetchval("SELECT partition_entries FROM compliance.head")
    gap = {"first": 7 * width, "end": 8 * width, "location": "s3://archive/log"}
    january = {"from": "2026-01-31T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
    february = {"from": "2026-02-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
    for times, told in (({}, [gap]), (january, [gap]), (february, None)):
        lines = (await export(log.auditor, "ndjson", **times)).text.splitlines()
        assert json.loads(lines[-1]).get("pruned") == told
        table = (await export(log.auditor, "csv", **times)).text.splitlines()
        assert ("were pruned, see s3://archive/log" in table[-1]) is (told is not None)


async def test_an_auditor_exports_his_sites_and_no_other(log: LiveLog) -> None:
    """What is not his does not exist, in no format; and a viewer exports nothing."""
    await log.grow(30)
    south = log.steward.as_("saskia", "auditor:south")
    assert {entry["site_id"] for entry in await lines(south)} == {"south"}
    for form in ("ndjson", "csv", "fhir", "dicom", "evidence"):
        period = {"from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
        answer = await south.get(URL, params={"format": form, "site_id": "north"} | period)
        assert answer.status_code == 404, answer.text
    answer = await log.steward.as_("vera", "viewer:*").get(URL, params={"format": "csv"})
    assert answer.status_code == 403


async def test_evidence_is_a_package_that_verifies(log: LiveLog, tmp_path: Path) -> None:
    """Of a site's own auditor, for a period that is over."""
    await log.grow(300)
    over = datetime.now(UTC)
    await log.grow(300)
    south = log.steward.as_("saskia", "auditor:south")
    period = {"from": (over - timedelta(hours=1)).isoformat(), "to": over.isoformat()}
    answer = await export(south, "evidence", site_id="south", **period)
    assert answer.headers["content-type"] == "application/zip"
    path = tmp_path / "evidence.zip"
    path.write_bytes(answer.content)
    found = verify_evidence(path, [KEY.verifier])
    assert isinstance(found, Evidence), found
    assert (found.entries, found.first_sequence, found.complete_until) == (100, 0, over)


INCOMPLETE: list[tuple[dict[str, str], str]] = [
    ({}, "site_id"),
    ({"site_id": "north"}, "from"),
    ({"site_id": "north", "from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "to"),
    ({"site_id": "north", "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z", "actor": "a"}, "format"),
]


async def test_evidence_of_less_than_all_is_refused(log: LiveLog) -> None:
    """It is of one site and one period, whole."""
    for query, field in INCOMPLETE:
        answer = await log.auditor.get(URL, params={"format": "evidence"} | query)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field


async def test_evidence_before_anything_is_signed_is_refused(log: LiveLog) -> None:
    """With what is missing, and nothing is sent."""
    period = {"site_id": "north", "from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}
    answer = await log.auditor.get(URL, params={"format": "evidence"} | period)
    assert answer.status_code == 409
    assert "no checkpoint was published yet" in answer.json()["detail"]


async def test_an_export_is_in_the_log_itself(log: LiveLog) -> None:
    """Who, and with which parameters; in the site that was asked for."""
    await log.grow(10)
    await export(log.auditor, "csv", site_id="south", actor="alice")
    [told] = await accesses(log, "south")
    assert told["actor"] == "audrey"
    assert told["data"]["what"] == "export"
    assert told["data"]["parameters"] == {"format": ["csv"], "site_id": ["south"], "actor": ["alice"]}


async def accesses(log: LiveLog, site_id: str) -> list[dict[str, Any]]:
    """The events of who has read the log, once there is one."""
    seen = "SELECT EXISTS (SELECT FROM events WHERE type = (SELECT number FROM types WHERE type = 'log.accessed'))"
    await until(log.steward.pools["compliance"], seen, sites="*")
    found = await log.auditor.get("/compliance/v1/events", params={"type": "log.accessed", "site_id": site_id})
    return [item["event"] for item in found.json()["items"]]


@pytest.mark.parametrize("form", ["ndjson", "csv", "fhir", "dicom", "evidence"])
async def test_a_fault_in_the_middle_cuts_the_transfer(log: LiveLog, database: str, form: str) -> None:
    """A client that reads HTTP rightly sees that the answer has no end, whatever has come already."""
    await log.grow(900)
    await execute(database, "DELETE FROM compliance.chunks WHERE start = 576")
    period = {"site_id": "north", "from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    headers = {"Authorization": f"Bearer {log.token}"}
    async with (
        httpx.AsyncClient(base_url=log.url.partition("/compliance")[0], headers=headers) as client,
        client.stream("GET", URL, params={"format": form} | period) as answer,
    ):
        assert answer.status_code == 200
        pieces = answer.aiter_raw()
        assert await anext(pieces)
        with pytest.raises(httpx.RemoteProtocolError):
            await _drain(pieces)


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    async for _ in pieces:
        pass


async def test_a_fault_at_the_beginning_is_an_answer(log: LiveLog, database: str) -> None:
    """Nothing was sent yet, so it can be told."""
    await log.grow(300)
    await execute(database, "DELETE FROM compliance.chunks WHERE start = 0")
    headers = {"Authorization": f"Bearer {log.token}"}
    async with httpx.AsyncClient(base_url=log.url.partition("/compliance")[0], headers=headers) as client:
        answer = await client.get(URL, params={"format": "csv"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
