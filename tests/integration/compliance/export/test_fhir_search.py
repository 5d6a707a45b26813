"""Retrieve ATNA Audit Event (IHE ITI-81) over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from shared.bus.postgres import PostgresBus
from tests.conftest import execute
from tests.integration.compliance.log.live import LiveLog, live_log
from tests.integration.conftest import Run

URL = "/compliance/v1/fhir/AuditEvent"
SINCE = ("date", "ge2026-01-01")
CHANGES = ("subtype", "site.changed")


@pytest.fixture
async def log(run: Run, bus: PostgresBus, database: str, tmp_path: Path) -> AsyncIterator[LiveLog]:
    """A log that runs, with 60 changes of sites: every third of the south."""
    async with live_log(run, bus, database, tmp_path) as log:
        await log.grow(60)
        yield log


async def search(client: httpx.AsyncClient, *query: tuple[str, str], url: str = URL) -> dict[str, Any]:
    """The Bundle that answers, which must be one of R4."""
    answer = await client.get(url, params=list(query) or None)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    Bundle.model_validate_json(answer.content)
    found: dict[str, Any] = answer.json()
    assert found["type"] == "searchset"
    assert all(entry["search"] == {"mode": "match"} for entry in found.get("entry", []))
    return found


def indices(bundle: dict[str, Any]) -> list[int]:
    """The indices of what was found."""
    return [int(entry["resource"]["id"]) for entry in bundle.get("entry", [])]


def links(bundle: dict[str, Any]) -> dict[str, str]:
    """The Bundle's links by relation."""
    return {link["relation"]: link["url"] for link in bundle["link"]}


async def test_capabilities_name_what_the_search_takes(log: LiveLog) -> None:
    """Each parameter that they name is one that a search accepts, and none is left out."""
    answer = await log.auditor.get("/compliance/v1/fhir/metadata")
    CapabilityStatement.model_validate_json(answer.content)
    told = answer.json()
    assert answer.headers["content-type"] == "application/fhir+json"
    [resource] = told["rest"][0]["resource"]
    names = {parameter["name"] for parameter in resource["searchParam"]}
    await search(log.auditor, SINCE, *((name, "x") for name in names - {"date"}))
    openapi = (await log.auditor.get("/compliance/openapi.json")).json()
    parameters = openapi["paths"]["/v1/fhir/AuditEvent"]["get"]["parameters"]
    assert names == {one["name"] for one in parameters if one["in"] == "query" and not one["name"].startswith("_")}
    assert told["implementation"]["url"] + "/metadata" == str(answer.request.url)


async def test_pages_follow_each_other_by_their_links(log: LiveLog) -> None:
    """The newest first; each entry comes once, and the last page leads nowhere."""
    found: list[int] = []
    bundle = await search(log.auditor, SINCE, CHANGES, ("_count", "25"))
    assert len(indices(bundle)) == 25
    while True:
        found += indices(bundle)
        if "next" not in links(bundle):
            break
        other = await log.auditor.get(links(bundle)["next"] + "&site=south")
        assert (other.status_code, "for the same question" in other.text) == (400, True)
        bundle = await search(log.auditor, url=links(bundle)["next"])
        assert "_cursor=" in links(bundle)["self"]
    assert len(found) == len(set(found)) == 60
    assert found == sorted(found, reverse=True)


NARROWED: list[tuple[list[tuple[str, str]], int]] = [
    ([CHANGES], 60),
    ([CHANGES, ("site", "south")], 20),
    ([CHANGES, ("agent.identifier", "urn:steward:actor|alice")], 60),
    ([CHANGES, ("agent.identifier", "bob")], 0),
    ([CHANGES, ("entity.identifier", "urn:steward:site|archive")], 60),
    ([CHANGES, ("entity.identifier", "urn:steward:asset|archive")], 0),
    ([("type", "rest"), ("action", "C")], 60),
    ([("type", "rest"), ("action", "U")], 0),
    ([CHANGES, ("outcome", "0")], 60),
    ([CHANGES, ("outcome", "4,8,12")], 0),
    ([CHANGES, ("source.identifier", "inventory")], 60),
    ([CHANGES, ("entity-type", "2"), ("entity-role", "4")], 60),
    ([CHANGES, ("address", "10.0.0.7")], 0),
    ([CHANGES, ("patient.identifier", "urn:oid:1.2.3|4711")], 0),
    ([CHANGES, ("date", "lt2026-01-01")], 0),
    ([CHANGES, ("date", "le2199")], 60),
]


async def test_each_parameter_narrows(log: LiveLog) -> None:
    """Also those of what Steward does not record, which find nothing."""
    for query, count in NARROWED:
        assert len(indices(await search(log.auditor, SINCE, *query))) == count, query


async def test_reading_the_log_is_found_as_audit_log_used(log: LiveLog) -> None:
    """DICOM's own code for it; the search itself is such an event."""
    await search(log.auditor, SINCE, ("type", "rest"))
    await log.grow(1)
    bundle = await search(log.auditor, SINCE, ("type", "110101"))
    told = bundle["entry"][0]["resource"]
    assert told["agent"][0]["who"]["identifier"]["value"] == "audrey"
    assert told["entity"][0]["detail"] == [{"type": "what", "valueString": "fhir"}]


async def test_an_auditor_finds_his_sites_and_no_other(log: LiveLog) -> None:
    """What is not his does not exist."""
    south = log.steward.as_("saskia", "auditor:south")
    assert len(indices(await search(south, SINCE, CHANGES))) == 20
    foreign = indices(await search(log.auditor, SINCE, CHANGES, ("site", "north")))[0]
    for address in (f"{URL}/{foreign}", f"{URL}?date=ge2026&site=north", f"{URL}/999999"):
        answer = await south.get(address)
        assert (answer.status_code, issue(answer)) == (404, "not-found")


def issue(answer: httpx.Response) -> str:
    """The code of the OperationOutcome that an answer must be."""
    assert answer.headers["content-type"] == "application/fhir+json"
    OperationOutcome.model_validate_json(answer.content)
    code: str = answer.json()["issue"][0]["code"]
    return code


BROKEN = [
    "",
    "type=rest",
    "date=yesterday",
    "date=ge2026&patient=4711",
    "date=ge2026&type:not=rest",
    "date=ge2026&_count=0",
    "date=ge2026&_count=many",
    "date=ge2026&_format=xml",
    "date=ge2026&_cursor=broken",
]


async def test_a_search_that_breaks_a_rule_is_answered_in_fhir(log: LiveLog) -> None:
    """A parameter that was mistyped must not show everything."""
    for query in BROKEN:
        answer = await log.auditor.get(f"{URL}?{query}")
        assert (answer.status_code, issue(answer)) == (400, "invalid"), query
        name, _, value = query.rpartition("&")[2].partition("=")
        told = answer.json()["issue"][0]["diagnostics"]
        assert told.startswith("date: " if query in ("", "type=rest") else f"{name}: "), told
        example = told.rpartition(", for example ")[2]
        assert example not in ("", told, value)


async def test_an_entry_that_was_pruned_is_told_as_deleted(log: LiveLog, database: str) -> None:
    """With the place of its archive."""
    await execute(database, "UPDATE compliance.partitions SET pruned_at = now(), location = 's3://archive/log'")
    await execute(database, "DROP TABLE compliance.chunks_0, compliance.events_0, compliance.mentions_0")
    await execute(database, "UPDATE compliance.head SET size = 64, tail = '', tail_hashes = ''")
    answer = await log.auditor.get(f"{URL}/3")
    assert (answer.status_code, issue(answer)) == (410, "deleted"), answer.text
    assert "s3://archive/log" in answer.json()["issue"][0]["diagnostics"]


async def test_who_may_not_search_is_told_in_fhir(log: LiveLog) -> None:
    """Without a token, and without the role."""
    stranger = await log.steward.http.get(f"{URL}?date=ge2026")
    assert (stranger.status_code, issue(stranger)) == (401, "login")
    viewer = await log.steward.as_("vera", "viewer:*").get(f"{URL}?date=ge2026")
    assert (viewer.status_code, issue(viewer)) == (403, "forbidden")
