"""What a search by ITI-81 finds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.compliance.export.fhir import audit_event
from services.compliance.export.iti81 import CODINGS, Narrowing, parse_date, parse_search
from services.compliance.export.mapping import audit_record
from shared.errors import Malformed
from tests.unit.compliance.export.entries import SAMPLES, sample, sample_at

DATE = ("date", "ge2026")
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def of(event_type: str, **changed: Any) -> dict[str, Any]:
    """The AuditEvent of a sample."""
    return audit_event(audit_record(sample(event_type, **changed)))


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-03-01", MARCH, MARCH + timedelta(days=1)),
        ("ge2026-03-01", MARCH, None),
        ("gt2026-03-01", MARCH + timedelta(days=1), None),
        ("le2026-03-01", None, MARCH + timedelta(days=1)),
        ("lt2026-03-01", None, MARCH),
        ("ge2026-03", MARCH, None),
        ("le2026-02", None, MARCH),
        ("le2025", None, datetime(2026, 1, 1, tzinfo=UTC)),
        ("le2025-12", None, datetime(2026, 1, 1, tzinfo=UTC)),
        ("ge2026-03-01T01:00:00+01:00", MARCH, None),
        ("le2026-03-01T00:00:00Z", None, MARCH + timedelta(seconds=1)),
        ("le2026-03-01T00:00Z", None, MARCH + timedelta(minutes=1)),
        ("le2026-03-01T00:00:00.123Z", None, MARCH + timedelta(milliseconds=124)),
        ("le2026-03-01T00:00:00.123456Z", None, MARCH + timedelta(microseconds=123457)),
    ],
)
def test_a_date_stands_for_all_that_it_names(text: str, start: datetime | None, end: datetime | None) -> None:
    """The end is the first instant that no longer belongs."""
    assert parse_date(text) == (start, end)


@pytest.mark.parametrize(
    "text", ["", "2026-13", "ge2026-02-30", "ne2026", "2026-03-01T10:00", "march", "ge9999", "sa2026"]
)
def test_a_date_that_is_none_is_refused(text: str) -> None:
    """With an example that would do."""
    with pytest.raises(Malformed, match="date=ge2026-03-01"):
        parse_date(text)


def test_dates_together_leave_what_all_of_them_do() -> None:
    """In any order, and the narrowest counts."""
    search = parse_search([("date", "le2026-04"), ("date", "ge2026-02"), ("date", "ge2026-03"), ("date", "le2026")])
    assert (search.start, search.end) == (MARCH, datetime(2026, 5, 1, tzinfo=UTC))


def test_a_search_without_a_time_is_refused() -> None:
    """ITI-81 wants one."""
    with pytest.raises(Malformed, match="must be given"):
        parse_search([("type", "rest")])


DCM = "http://dicom.nema.org/resources/ontology/DCM"


@pytest.mark.parametrize(
    ("name", "value", "is_found"),
    [
        ("type", "rest", True),
        ("type", "http://terminology.hl7.org/CodeSystem/audit-event-type|rest", True),
        ("type", "http://terminology.hl7.org/CodeSystem/audit-event-type|", True),
        ("type", f"{DCM}|rest", False),
        ("type", "|rest", False),
        ("type", "110100,rest", True),
        ("type", "110100", False),
        ("subtype", "asset.changed", True),
        ("subtype", "update", True),
        ("subtype", f"{DCM}|110130", True),
        ("subtype", "asset.retired", False),
        ("action", "U", True),
        ("action", "C,R", False),
        ("outcome", "0", True),
        ("outcome", "4,8,12", False),
        ("site", "north", True),
        ("site", "south", False),
        ("agent.identifier", "anna", True),
        ("agent.identifier", "urn:steward:actor|anna", True),
        ("agent.identifier", "berta", False),
        ("entity.identifier", "0199c3f2-7a51-7c3e-9d55-3f1f2f6f8a11", True),
        ("entity.identifier", "urn:steward:asset|0199c3f2-7a51-7c3e-9d55-3f1f2f6f8a11", True),
        ("entity.identifier", "urn:steward:site|0199c3f2-7a51-7c3e-9d55-3f1f2f6f8a11", False),
        ("source.identifier", "inventory", True),
        ("source.identifier", "probes", False),
        ("entity-type", "2", True),
        ("entity-type", "1", False),
        ("entity-role", "4", True),
        ("address", "10.0.0.1", False),
        ("patient.identifier", "4711", False),
        ("agent.identifier", r"anna\,berta", False),
    ],
)
def test_each_parameter_finds_what_it_names(name: str, value: str, is_found: bool) -> None:
    """A system before the bar counts, alternatives stand between commas."""
    search = parse_search([DATE, (name, value)])
    assert search.matches(of("asset.changed", actor="anna")) is is_found


def test_all_parameters_must_be_met() -> None:
    """Also one that is given twice."""
    event = of("asset.changed", actor="anna")
    assert parse_search([DATE, ("type", "rest"), ("subtype", "update"), ("subtype", "110130")]).matches(event)
    assert not parse_search([DATE, ("subtype", "update"), ("subtype", "create")]).matches(event)


def test_the_index_is_asked_for_what_it_knows() -> None:
    """Time, site, actor, subject, types, outcomes."""
    parameters = [
        *(DATE, ("site", "north"), ("agent.identifier", "urn:steward:actor|key:a"), ("entity.identifier", "x|7")),
        *(("subtype", "probe.result,urn:steward:audit|site.changed"), ("outcome", "4,8")),
    ]
    assert parse_search(parameters).narrowing == Narrowing(
        start=datetime(2026, 1, 1, tzinfo=UTC),
        site_id="north",
        actor="key:a",
        subject="7",
        types=frozenset({"probe.result", "site.changed"}),
        outcomes=frozenset({4, 8}),
    )


QUESTIONS = [
    *(("type", value) for value in ("rest", "110100", "110101", "110113", f"{DCM}|", "rest,110113", "nothing")),
    *(
        ("subtype", value)
        for value in ("update", "110130", "probe.result", "asset.changed,create", "urn:steward:audit|")
    ),
    *(("agent.identifier", value) for value in ("alice", "service:probes", "urn:steward:actor|alice", "other|alice")),
    *(("outcome", value) for value in ("0", "8", "4,8", "99")),
    *(("site", value) for value in ("north", "x|north", "|north")),
]


@pytest.mark.parametrize(("name", "value"), QUESTIONS)
def test_the_index_leaves_out_nothing_that_is_sought(name: str, value: str) -> None:
    """Whatever matches, the narrowing lets through; of a type that no table knows as well."""
    search = parse_search([DATE, (name, value)])
    narrow = search.narrowing
    for path in SAMPLES:
        for changed in ({}, {"type": "moon.landed"}):
            record = audit_record(sample_at(path, **changed))
            if search.matches(audit_event(record)):
                assert narrow.types is None or record.kinds[-1].value in narrow.types
                assert narrow.outcomes is None or record.outcome in narrow.outcomes
                assert narrow.actor in (None, record.participants[0].actor)
                assert narrow.subject in (None, record.subject.id)
                assert narrow.site_id in (None, record.site_id)


def test_every_parameter_of_the_transaction_is_known() -> None:
    """Those of ITI-81, and what R4 has besides for an AuditEvent's action and site."""
    assert set(CODINGS) == {
        *("address", "agent.identifier", "patient.identifier", "entity.identifier", "entity-type", "entity-role"),
        *("source.identifier", "type", "subtype", "outcome", "action", "site"),
    }
