"""What an entry is as an audit record."""

import json
from pathlib import Path

import pytest

from services.compliance.export.mapping import AUDIT_LOG_USED, FALLBACK, ROWS, audit_record
from services.compliance.log.entry import parse_entry
from services.compliance.log.index import read_event
from shared.events import CONTRACTS
from tests.unit.compliance.export.entries import SAMPLES, sample, shown


@pytest.mark.parametrize("event_type", sorted({*CONTRACTS, "log.manifest"}))
def test_every_contract_has_a_row_of_its_own(event_type: str) -> None:
    """Add a row to ROWS when you add an event."""
    assert event_type in ROWS


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_an_audit_record(path: Path) -> None:
    """Every field that a row names is one of the contract, and who, what, where and when come from the envelope."""
    event = json.loads(path.read_bytes())
    record = audit_record(shown(path.read_bytes()))
    assert set(ROWS[event["type"]].details) <= set(CONTRACTS[event["type"]].model_fields)
    assert (record.subject.id, record.site_id) == (event["subject"], event["siteid"])
    assert record.participants[0].actor == event["actor"]
    assert record.time.isoformat().replace("+00:00", "Z") == event["time"]
    assert record.kinds[-1].value == event["type"]


def test_an_unknown_type_is_something_that_an_application_did() -> None:
    """An entry of a later version is exported too."""
    record = audit_record(sample("site.changed", type="moon.landed"))
    assert record.event == FALLBACK.event
    assert record.kinds[-1].value == "moon.landed"


@pytest.mark.parametrize(
    ("actor", "kind", "others"),
    [
        ("anna", "person", ["service:inventory"]),
        ("key:nightly", "key", ["service:inventory"]),
        ("service:inventory", "service", []),
        ("service:probes", "service", ["service:inventory"]),
    ],
)
def test_who_asked_comes_first_and_once(actor: str, kind: str, others: list[str]) -> None:
    """The service that carried it out is no second participant when it asked itself."""
    asker, *carried_out = audit_record(sample("site.changed", actor=actor)).participants
    assert (asker.actor, asker.kind, asker.is_requestor) == (actor, kind, True)
    assert [one.actor for one in carried_out] == others
    assert not any(one.is_requestor for one in carried_out)


def test_the_first_state_creates_and_a_later_one_updates() -> None:
    """The version in the data tells."""
    assert audit_record(sample("site.changed", data__version=1)).action == "C"
    assert audit_record(sample("site.changed", data__version=2)).action == "U"


def test_a_revoked_key_is_deleted() -> None:
    """A key that is valid was created."""
    assert audit_record(sample("key.changed", data__revoked_at=None)).action == "C"
    assert audit_record(sample("key.changed", data__revoked_at="2026-03-01T00:00:00Z")).action == "D"


def test_only_a_failure_has_a_reason() -> None:
    """A success that tells a detail has not failed for it."""
    assert audit_record(sample("probe.result", data__outcome="failed", data__detail="no answer")).reason == "no answer"
    assert audit_record(sample("probe.result", data__outcome="ok", data__detail="answered")).reason is None


def test_manifests_are_no_use_of_the_log() -> None:
    """One comes every few seconds: a search for DICOM's "Audit Log Used" must find who has read."""
    assert ROWS["log.accessed"].event == AUDIT_LOG_USED
    assert ROWS["log.manifest"].event != AUDIT_LOG_USED


@pytest.mark.parametrize("zone", ["Z", "z", "+0130", "-00:00"])
def test_a_time_is_read_as_the_log_has_read_it(zone: str) -> None:
    """What the log took as a time, with seven digits or a small z, stops no export, and stands where search has it."""
    entry = sample("patch.applied", time=f"2026-03-01T08:00:00.1234567{zone}")
    assert audit_record(entry).time == read_event(parse_entry(entry.raw).event).time
