"""An entry as DICOM audit message: the XML of PS3.15 §A.5.1, elements in the schema's order, without a namespace."""

from base64 import b64encode
from collections.abc import Sequence
from xml.sax.saxutils import escape

from services.compliance.export.domain import AuditObject, AuditRecord, Code, Participant
from services.compliance.export.mapping import DCM, STEWARD

APPLICATION = Code(DCM, "110150", "Application")
PERSON = Code(STEWARD, "person", "person")
APPLICATION_SERVER = "4"
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
    attributes = [
        ("EventActionCode", record.action),
        ("EventDateTime", record.time.isoformat().replace("+00:00", "Z")),
        ("EventOutcomeIndicator", str(record.outcome)),
    ]
    children = [_coded("EventID", record.event), *[_coded("EventTypeCode", kind) for kind in record.kinds]]
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
    subject = record.subject
    attributes = [
        ("ParticipantObjectID", subject.id),
        ("ParticipantObjectTypeCode", str(subject.type)),
        ("ParticipantObjectTypeCodeRole", str(subject.role)),
    ]
    name = f"<ParticipantObjectName>{escape(subject.id)}</ParticipantObjectName>"
    children = [_coded("ParticipantObjectIDTypeCode", subject.kind), name, *_details(record, subject)]
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
