"""AuditEvents of FHIR R4, held against the models of R4B (the same structure for AuditEvent) and against IHE BALP."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.operationoutcome import OperationOutcome

from services.compliance.export.fhir import BALP, LOG_ENTRY, audit_event, bundle_entry, operation_outcome, search_set
from services.compliance.export.mapping import audit_record
from tests.unit.compliance.export.entries import SAMPLES, sample, sample_at, shown

GOLDEN = Path(__file__).parent / "golden/audit_event.json"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
SERVER_AND_CLIENT = {"Create": ("110153", "110152"), "Update": ("110153", "110152"), "Delete": ("110150", "custodian")}


def of(event_type: str, **changed: Any) -> dict[str, Any]:
    """The AuditEvent of a sample."""
    return audit_event(audit_record(sample(event_type, **changed)))


def codes(agent: dict[str, Any]) -> list[str]:
    """The codes of an agent's type."""
    return [coding["code"] for coding in agent["type"]["coding"]]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("actor", ["anna", "key:nightly", "service:probes"])
def test_every_sample_is_an_audit_event_of_r4(path: Path, actor: str) -> None:
    """The model takes it, and gives it back as it was: no element is unknown, none is lost."""
    event = audit_event(audit_record(sample_at(path, actor=actor)))
    read = AuditEvent.model_validate_json(json.dumps(event))
    assert json.loads(read.model_dump_json(exclude_none=True)).keys() == event.keys()
    assert INSTANT.fullmatch(event["recorded"])
    assert event["agent"][0]["who"]
    assert sum(agent["requestor"] for agent in event["agent"]) == 1


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_what_claims_a_pattern_of_balp_keeps_it(path: Path) -> None:
    """Type, subtype, action, outcome, one client, one server, a person if there is one, one object of the data."""
    event = audit_event(audit_record(shown(path.read_bytes())))
    for profile in event.get("meta", {}).get("profile", []):
        pattern = profile.removeprefix(BALP)
        client, server = SERVER_AND_CLIENT[pattern]
        assert event["type"]["code"] == "rest"
        assert [one["code"] for one in event["subtype"] if "restful" in one["system"]] == [pattern.lower()]
        assert (event["action"], event["outcome"]) == (pattern[0], "0")
        for role in (client, server):
            [machine] = [agent for agent in event["agent"] if role in codes(agent)]
            assert machine["who"]
            assert machine["network"]
            assert "media" not in machine
        assert all("network" not in agent for agent in event["agent"] if "AUT" in codes(agent))
        [data] = [entity for entity in event["entity"] if entity["type"]["code"] == "2"]
        assert data["role"]["code"] in {"3", "4", "20"}
        assert data["what"]


def test_a_request_that_created_claims_the_pattern() -> None:
    """A person, a client and a server took part."""
    event = of("site.changed", actor="anna", data__version=1)
    assert event["meta"]["profile"] == ["https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.Create"]
    assert [codes(agent) for agent in event["agent"]] == [["110153"], ["110152"], ["AUT"]]


def test_what_a_service_did_by_itself_claims_no_pattern() -> None:
    """It was no request over REST."""
    assert "meta" not in of("site.changed", actor="service:inventory")
    assert of("probe.result")["type"]["code"] == "110100"


def test_a_failure_claims_no_pattern_and_says_why() -> None:
    """BALP's patterns are of successes."""
    event = of("backup.failed", data__reason="disk full\x07")
    assert (event["outcome"], event["outcomeDesc"]) == ("8", "disk full\ufffd")
    assert "meta" not in event


def test_an_audit_event_says_where_its_entry_stands() -> None:
    """Index, leaf hash and site sequence: what its proof is asked for by."""
    [extension] = of("probe.result")["extension"]
    told = {part["url"]: next(value for key, value in part.items() if key != "url") for part in extension["extension"]}
    assert extension["url"] == LOG_ENTRY
    assert (told["index"], told["siteSequence"]) == ("4711", "12")
    assert len(told["leafHash"]) == 44


def test_bundles_and_refusals_are_of_r4() -> None:
    """A search set with its links, one without matches, an OperationOutcome."""
    entry = bundle_entry(of("probe.result"), "https://steward.example.org/fhir", found=True)
    links = {"self": "https://steward.example.org/fhir/AuditEvent?date=ge2026"}
    for entries in ([entry], []):
        read = Bundle.model_validate_json(json.dumps(search_set(entries, links)))
        assert len(read.entry or []) == len(entries)
    OperationOutcome.model_validate_json(json.dumps(operation_outcome("invalid", "date: must be given")))


def test_the_golden_audit_event_is_still_what_is_made() -> None:
    """Receivers have built on this form: change it knowingly."""
    assert of("asset.changed", actor="anna") == json.loads(GOLDEN.read_text())
