"""An entry as DICOM audit message: the XML of PS3.15 §A.5.1, elements in the schema's order, without a namespace.

A message that DICOM defines keeps the rules of its table in §A.5.3; what fits none of them has an event of Steward's.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from services.compliance.export.domain import Action, AuditObject, AuditRecord, Code, Participant
from services.compliance.export.mapping import APPLICATION_ACTIVITY, AUDIT_LOG_USED, DCM, SECURITY_ALERT, STEWARD

APPLICATION = Code(DCM, "110150", "Application")
PERSON = Code(STEWARD, "person", "person")
APPLICATION_SERVER = "4"
ACTIVITY = Code(STEWARD, "activity", "Activity")
"""What DICOM has no message for; its Application Activity tells of programs that start and end (PS3.15 §A.5.3.1)."""

URI = Code("RFC-3881", "12", "URI")
AUDIT_LOG_NAME = "Security Audit Log"
ALERTS_ACTION: Action = "E"
STAGES: Mapping[Action, str] = {"C": "1", "U": "3", "D": "14"}
"""The stage in its life that an object came to: made, amended, logically deleted."""

IN_ATTRIBUTES = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}

OPENING = '<?xml version="1.0" encoding="UTF-8"?>\n<AuditMessages>\n'
"""Several messages in one file: PS3.15 knows none, so each child is a whole message of its own."""

CLOSING = "</AuditMessages>\n"


def audit_message(record: AuditRecord) -> str:
    """One AuditMessage. EventDateTime is the time of the event, in UTC."""
    children = [
        _event(record),
        *[_participant(one) for one in record.participants],
        _source(record),
        _object(record),
    ]
    return _element("AuditMessage", [], children)


def _event(record: AuditRecord) -> str:
    event = ACTIVITY if record.event == APPLICATION_ACTIVITY else record.event
    attributes = [
        ("EventActionCode", ALERTS_ACTION if event == SECURITY_ALERT else record.action),
        ("EventDateTime", record.time.isoformat().replace("+00:00", "Z")),
        ("EventOutcomeIndicator", str(record.outcome)),
    ]
    children = [_coded("EventID", event), *[_coded("EventTypeCode", kind) for kind in record.kinds]]
    if record.reason is not None:
        children.append(f"<EventOutcomeDescription>{escape(record.reason)}</EventOutcomeDescription>")
    return _element("EventIdentification", attributes, children)


def _participant(one: Participant) -> str:
    role = PERSON if one.kind == "person" else APPLICATION
    attributes = [("UserID", one.actor), ("UserIsRequestor", "true" if one.is_requestor else "false")]
    return _element("ActiveParticipant", attributes, [_coded("RoleIDCode", role)])


def _source(record: AuditRecord) -> str:
    attributes = [("AuditEnterpriseSiteID", record.site_id), ("AuditSourceID", f"steward/{record.service}")]
    kind = _element("AuditSourceTypeCode", [("csd-code", APPLICATION_SERVER)], [])
    return _element("AuditSourceIdentification", attributes, [kind])


def _object(record: AuditRecord) -> str:
    """What the event is about. The log's own identity is fixed where it was read (PS3.15 §A.5.3.2)."""
    subject = record.subject
    kind, name, identity = subject.kind, subject.id, subject.id
    if record.event == AUDIT_LOG_USED:
        kind, name, identity = URI, AUDIT_LOG_NAME, f"urn:steward:{subject.id}"
    attributes = [
        ("ParticipantObjectID", identity),
        ("ParticipantObjectTypeCode", str(subject.type)),
        ("ParticipantObjectTypeCodeRole", str(subject.role)),
    ]
    if record.event == SECURITY_ALERT and record.action in STAGES:
        attributes.append(("ParticipantObjectDataLifeCycle", STAGES[record.action]))
    named = f"<ParticipantObjectName>{escape(name)}</ParticipantObjectName>"
    children = [_coded("ParticipantObjectIDTypeCode", kind), named, *_details(record, subject)]
    return _element("ParticipantObjectIdentification", attributes, children)


def _details(record: AuditRecord, subject: AuditObject) -> list[str]:
    """What else the event names, and where its entry stands in the log; values are Base64 (PS3.15 §A.5.1.1)."""
    place = [
        ("log-index", str(record.index)),
        ("log-leaf-hash", b64encode(record.leaf_hash).decode()),
        ("log-site-sequence", str(record.site_sequence)),
        ("log-recorded-at", record.recorded_at.isoformat().replace("+00:00", "Z")),
        ("event-id", record.event_id),
        ("correlation-id", record.correlation_id),
    ]
    pairs = [*subject.details, *place]
    return [
        _element("ParticipantObjectDetail", [("type", name), ("value", b64encode(value.encode()).decode())], [])
        for name, value in pairs
    ]


def _coded(element: str, code: Code) -> str:
    attributes = [("csd-code", code.value), ("codeSystemName", code.system), ("originalText", code.meaning)]
    return _element(element, attributes, [])


def _element(name: str, attributes: Sequence[tuple[str, str]], children: Sequence[str]) -> str:
    inside = "".join(f' {key}="{escape(value, IN_ATTRIBUTES)}"' for key, value in attributes)
    return f"<{name}{inside}>{''.join(children)}</{name}>" if children else f"<{name}{inside}/>"
