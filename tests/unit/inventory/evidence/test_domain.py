"""What an event speaks of, what it takes back, and who may sign again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.inventory.evidence.domain import (
    EventFact,
    EvidenceRecord,
    check_other_signer,
    check_vouches,
    covered_by,
    takes_back,
    until_of,
)
from services.inventory.policies.conditions import values_at
from services.inventory.policies.domain import Condition, EventSource
from services.inventory.policies.handlers import BUILT_IN
from shared.errors import Conflict

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS = BUILT_IN.policy.evidence


def source(kind: str, number: int = 0) -> EventSource:
    """A source of a kind that is an event."""
    found = KINDS[kind].sources[number]
    assert isinstance(found, EventSource)
    return found


def record(kind: str, data: dict[str, Any], covers: list[str], **change: Any) -> EvidenceRecord:
    """What an event of a kind has served for."""
    known: dict[str, Any] = {
        "id": "1",
        "version": 1,
        "asset_id": "a",
        "site_id": "north",
        "kind": kind,
        "source": "event",
        "what": source(kind).event,
        "reference": "e",
        "sha256": None,
        "statement": None,
        "role": None,
        "covers": covers,
        "data": data,
        "at": NOW,
        "valid_until": None,
        "policy_version": 1,
        "recorded_by": "alice",
        "recorded_at": NOW,
    }
    return EvidenceRecord(**known | change)


def fact(event_type: str, data: dict[str, Any], at: datetime = NOW) -> EventFact:
    """An event that has come."""
    return EventFact(id="f", type=event_type, subject="a", site_id="north", at=at, sha256="", data=data)


def test_values_are_found_in_tables_and_lists_and_nowhere() -> None:
    """A path that leads nowhere finds nothing, whatever lies on it."""
    data = {"systems": [{"id": "a"}, {"id": "b"}, {"name": "c"}, 7], "outcome": "passed", "empty": None, "names": ["x"]}
    assert values_at(data, "systems.id") == ["a", "b"]
    assert values_at(data, "outcome") == ["passed"]
    assert values_at(data, "names") == ["x"]
    assert values_at(data, "empty") == [None]
    assert values_at(data, "outcome.deeper") == values_at(data, "absent") == values_at(data, "absent.deeper") == []


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ({"one_of": [True]}, True, True),
        ({"one_of": [True]}, 1, False),
        ({"one_of": [1]}, True, False),
        ({"one_of": ["1"]}, 1, False),
        ({"one_of": ["passed", "ok"]}, ["failed", "ok"], True),
        ({"at_least": 90}, 90.0, True),
        ({"at_least": 90}, "95", False),
        ({"at_least": 0}, None, False),
        ({"at_least": 0}, float("nan"), False),
    ],
)
def test_condition_takes_no_value_for_another(condition: dict[str, Any], value: Any, holds: bool) -> None:
    """True is no 1, a number in quotes is none, and what is not a number is not at least anything."""
    assert Condition(field="x", **condition).holds({"x": value}) is holds


@pytest.mark.parametrize(
    ("data", "holds"),
    [
        ({"by": "ada", "other": "ben"}, True),
        ({"by": "ada", "other": "ada"}, False),
        ({"by": None, "other": "ben"}, False),
        ({"other": "ben"}, False),
        ({"by": "ada"}, True),
    ],
)
def test_condition_tells_two_people_apart(data: dict[str, Any], holds: bool) -> None:
    """Who is not named differs from nobody."""
    assert Condition(field="by", differs_from="other").holds(data) is holds


def test_event_covers_what_it_names_as_passed() -> None:
    """Of a table those that passed; of a subject, itself."""
    tested = {"interfaces": {"archive": "passed", "workstation": "not_run", "ris_ehr": "failed"}, "subject": "a"}
    assert covered_by(source("acceptance_suite"), tested) == ["archive"]
    assert covered_by(source("sanitization_certificate"), {"subject": "drive-1"}) == ["drive-1"]
    assert covered_by(source("restore_drill"), tested) == []


def test_end_that_cannot_be_read_is_none() -> None:
    """A window tells its end; what is no instant ends nothing."""
    opened = source("open_window")
    assert until_of(opened, {"ends_at": "2026-03-01T12:00:00Z"}) == NOW
    assert until_of(opened, {"ends_at": "soon"}) is until_of(opened, {"ends_at": None}) is until_of(opened, {}) is None


def test_contrary_takes_back_only_what_it_speaks_of() -> None:
    """The same interfaces, the same change, not what is younger, and nothing that was revoked."""
    kind = "acceptance_suite"
    earlier = record(kind, {}, ["archive"])
    failed = fact("suite.completed", {"interfaces": {"archive": "failed"}})
    elsewhere = fact("suite.completed", {"interfaces": {"workstation": "failed"}})
    whole = fact("suite.completed", {"interfaces": {}})
    assert takes_back(source(kind), failed, earlier)
    assert takes_back(source(kind), whole, earlier)
    assert not takes_back(source(kind), elsewhere, earlier)
    assert not takes_back(source(kind), failed.model_copy(update={"at": NOW - timedelta(seconds=1)}), earlier)
    revoked = {"revoked_at": NOW, "revoked_by": "x", "revoked_reason": "x"}
    assert not takes_back(source(kind), failed, earlier.model_copy(update=revoked))
    change = record("approved_work", {"change_id": "1"}, [])
    for change_id, is_taken in (("1", True), ("2", False)):
        closed = fact("change.transitioned", {"change_id": change_id, "to_state": "closed"})
        assert takes_back(source("approved_work"), closed, change) is is_taken


def test_who_has_signed_signs_again_once_that_is_too_old() -> None:
    """As long as it counts nobody signs twice, in whichever capacity; others may."""
    kind = KINDS["go_live_sign_offs"]
    signed = record("restore_drill", {}, [], source="statement", what="radiology", recorded_by="anna")
    for capacity in ("radiology", "it"):
        with pytest.raises(Conflict):
            check_other_signer(kind, [signed], {"anna", "anna.b"}, capacity, NOW + timedelta(days=89))
        check_other_signer(kind, [signed], {"anna"}, capacity, NOW + timedelta(days=90))
    check_other_signer(kind, [signed], {"bruno"}, "it", NOW)


def test_nobody_vouches_for_what_he_has_recorded_himself() -> None:
    """Nor for what nobody has recorded, or for a medium that only his own certificate is for."""
    kind = "sanitization_certificate"
    paper = {"source": "document", "what": "certificate"}
    alices, brunos = (record(kind, {}, [of], recorded_by=by, **paper) for of, by in (("a", "alice"), ("b", "bruno")))
    check_vouches(kind, [alices, brunos], {"bruno"}, ["a"])
    check_vouches(kind, [record(kind, {}, [], **paper)], {"bruno"}, [])
    revoked = alices.model_copy(update={"revoked_at": NOW})
    for earlier, covers, why in (
        ([alices], ["a"], "alice has recorded the sanitization_certificate; that it holds is for another"),
        ([alices, brunos], ["a", "b"], "no sanitization_certificate was recorded for a by anybody else"),
        ([revoked], ["a"], "for a by anybody else; that comes first"),
        ([], [], "no sanitization_certificate was recorded by anybody else"),
    ):
        with pytest.raises(Conflict, match=why):
            check_vouches(kind, earlier, {"alice", "key:alices"}, covers)
