"""DICOM audit messages, held against the schema of PS3.15 §A.5.1.1 and the rules of §A.5.3."""

from base64 import b64decode
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring

import pytest

from services.compliance.export.dicom import CLOSING, OPENING, audit_message
from services.compliance.export.mapping import audit_record
from tests.unit.compliance.export.audit_schema import faults
from tests.unit.compliance.export.entries import SAMPLES, sample, shown

GOLDEN = Path(__file__).parent / "golden/audit_message.xml"


def parsed(message: str) -> Element:
    """The message as a receiver's parser sees it."""
    return fromstring(message.encode())  # noqa: S314 -- we have just written it


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_keeps_the_schema(path: Path) -> None:
    """Elements in order and number, attributes by name and value."""
    message = parsed(audit_message(audit_record(shown(path.read_bytes()))))
    assert not list(faults(message))


@pytest.mark.parametrize(
    ("found", "put"),
    [
        ("<EventID ", "<EventId "),
        ('csd-code="activity"', 'code="activity"'),
        (' originalText="Application"', ""),
        ('EventOutcomeIndicator="8"', 'EventOutcomeIndicator="1"'),
        ("UserIsRequestor", "userIsRequestor"),
        ('value="', 'value="*'),
        ("<RoleIDCode", "text<RoleIDCode"),
    ],
)
def test_the_checker_refuses_what_the_schema_does(found: str, put: str) -> None:
    """A check that finds nothing must be able to find something."""
    message = audit_message(audit_record(sample("backup.failed")))
    assert found in message
    assert list(faults(parsed(message.replace(found, put, 1))))


def test_elements_in_another_order_are_refused() -> None:
    """So they can't slip through either."""
    message = parsed(audit_message(audit_record(sample("backup.failed"))))
    message.append(message[0])
    message.remove(message[0])
    assert any("the order is" in fault for fault in faults(message))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_keeps_the_rules_of_its_kind_of_message(path: Path) -> None:
    """PS3.15 §A.5.3: an event that DICOM defines has that event's action, types and object; no other claims to be one.

    Application Activity (§A.5.3.1) is the start or end of a program, Audit Log Used (§A.5.3.2) a reading of the log.
    """
    message = parsed(audit_message(audit_record(shown(path.read_bytes()))))
    event, subject = message[0], message.find("ParticipantObjectIdentification")
    assert subject is not None
    code, system = event[0].attrib["csd-code"], event[0].attrib["codeSystemName"]
    if system != "DCM":
        assert (code, system) == ("activity", "99STEWARD")
        return
    assert (code, event.attrib["EventActionCode"]) in {("110101", "R"), ("110113", "E")}
    if code == "110101":
        kind = subject[0].attrib
        assert (kind["csd-code"], kind["codeSystemName"], kind["originalText"]) == ("12", "RFC-3881", "URI")
        assert subject.attrib["ParticipantObjectID"] == "urn:steward:log"
        assert subject.attrib["ParticipantObjectTypeCode"] == "2"
        assert subject.attrib["ParticipantObjectTypeCodeRole"] == "13"
        assert subject.findtext("ParticipantObjectName") == "Security Audit Log"


@pytest.mark.parametrize(("revoked_at", "stage"), [(None, "1"), ("2026-03-01T00:00:00Z", "14")])
def test_an_alert_says_by_its_object_what_was_done(revoked_at: str | None, stage: str) -> None:
    """Its action is always E, so whether a key was made or revoked stands in the stage of its life."""
    message = parsed(audit_message(audit_record(sample("key.changed", data__revoked_at=revoked_at))))
    subject = message.find("ParticipantObjectIdentification")
    assert subject is not None
    assert subject.attrib["ParticipantObjectDataLifeCycle"] == stage


def test_what_xml_cannot_hold_is_replaced_and_markup_stays_text() -> None:
    """Control characters, unpaired surrogates and quotes neither break the message nor add to it."""
    nasty = 'x\x00\x1b]"/><EventID/>&amp;\ud800\n'
    message = audit_message(audit_record(sample("backup.failed", actor=nasty, data__reason=nasty)))
    read = parsed(message)
    assert not list(faults(read))
    told = 'x\ufffd\ufffd]"/><EventID/>&amp;\ufffd\n'
    assert told in [one.attrib["UserID"] for one in read.iter("ActiveParticipant")]
    assert read.findtext("EventIdentification/EventOutcomeDescription") == told


def test_a_message_says_where_its_entry_stands() -> None:
    """Details are pairs of a name and a value in Base64."""
    message = parsed(audit_message(audit_record(sample("probe.result"))))
    details = {d.attrib["type"]: b64decode(d.attrib["value"]).decode() for d in message.iter("ParticipantObjectDetail")}
    assert (details["log-index"], details["log-site-sequence"]) == ("4711", "12")


def test_many_messages_are_one_document() -> None:
    """And a cut one is not well-formed."""
    messages = [audit_message(audit_record(shown(path.read_bytes()))) for path in SAMPLES]
    whole = OPENING + "\n".join(messages) + CLOSING
    assert len(parsed(whole)) == len(SAMPLES)
    with pytest.raises(ParseError):
        parsed(whole.removesuffix(CLOSING))


def test_the_golden_message_is_still_what_is_made() -> None:
    """Receivers have built on this form: change it knowingly."""
    assert audit_message(audit_record(sample("backup.failed"))) + "\n" == GOLDEN.read_text()
