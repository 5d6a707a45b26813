"""An entry as AuditEvent of FHIR R4, in the patterns of IHE BALP; and what FHIR wants around it.

BALP has patterns for what a request over REST has created, read, changed or deleted with success. Only such a record
claims one; every other is an AuditEvent of R4 with the codes of DICOM. What Steward does not record, the network
address of a client, is told as unknown.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any

from services.compliance.export.domain import AuditObject, AuditRecord, Code, Participant
from services.compliance.export.mapping import DCM, STEWARD

Json = dict[str, Any]

MEDIA_TYPE = "application/fhir+json"
SYSTEMS = {DCM: "http://dicom.nema.org/resources/ontology/DCM", STEWARD: "urn:steward:audit"}
ACTOR = "urn:steward:actor"
SERVICE = "urn:steward:service"
LOG_ENTRY = "urn:steward:log-entry"
"""The extension that says where the entry stands in the log, so that its proof can be asked for."""

CAPABLE_SINCE = "2026-11-22"
"""When what the CapabilityStatement says was changed last."""

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
REST = {"system": f"{TERMINOLOGY}/audit-event-type", "code": "rest", "display": "Restful Operation"}
INTERACTION = "http://hl7.org/fhir/restful-interaction"
APPLICATION_SERVER = {
    "system": f"{TERMINOLOGY}/security-source-type",
    "code": "4",
    "display": "Application Server",
}
OBJECT_TYPES = {2: "System Object"}
OBJECT_ROLES = {4: "Domain Resource", 13: "Security Resource"}
UNKNOWN = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}


SOURCE_ROLE = _coding(SYSTEMS[DCM], "110153", "Source Role ID")
DESTINATION_ROLE = _coding(SYSTEMS[DCM], "110152", "Destination Role ID")
APPLICATION = _coding(SYSTEMS[DCM], "110150", "Application")
CUSTODIAN = _coding(f"{TERMINOLOGY}/provenance-participant-type", "custodian", "Custodian")
AUTHOR = _coding(f"{TERMINOLOGY}/v3-ParticipationType", "AUT", "author (originator)")
RECIPIENT = _coding(f"{TERMINOLOGY}/v3-ParticipationType", "IRCP", "information recipient")
ROLES = {
    "create": (SOURCE_ROLE, DESTINATION_ROLE, AUTHOR),
    "read": (DESTINATION_ROLE, SOURCE_ROLE, RECIPIENT),
    "update": (SOURCE_ROLE, DESTINATION_ROLE, AUTHOR),
    "delete": (APPLICATION, CUSTODIAN, AUTHOR),
}
"""BALP's roles of the client, the server and the person, by interaction."""


def audit_event(record: AuditRecord) -> Json:
    """The AuditEvent; its id is the entry's index."""
    subtypes = [_code(kind) for kind in record.kinds]
    if record.interaction is not None:
        subtypes.insert(0, _coding(INTERACTION, record.interaction, record.interaction))
    event: Json = {
        "resourceType": "AuditEvent",
        "id": str(record.index),
        "extension": [_log_entry(record)],
        "type": _code(record.event) if record.interaction is None else REST,
        "subtype": subtypes,
        "action": record.action,
        "recorded": record.time.isoformat().replace("+00:00", "Z"),
        "outcome": str(record.outcome),
        "agent": _agents(record),
        "source": {
            "site": record.site_id,
            "observer": {"identifier": {"system": SERVICE, "value": record.service}},
            "type": [APPLICATION_SERVER],
        },
        "entity": [_entity(record.subject)],
    }
    if record.interaction is not None and record.outcome == 0:
        event["meta"] = {"profile": [BALP + record.interaction.capitalize()]}
    if record.reason is not None:
        event["outcomeDesc"] = record.reason
    return event


def _log_entry(record: AuditRecord) -> Json:
    return {
        "url": LOG_ENTRY,
        "extension": [
            {"url": "index", "valueString": str(record.index)},
            {"url": "leafHash", "valueBase64Binary": b64encode(record.leaf_hash).decode()},
            {"url": "siteSequence", "valueString": str(record.site_sequence)},
            {"url": "recordedAt", "valueInstant": record.recorded_at.isoformat().replace("+00:00", "Z")},
            {"url": "eventId", "valueString": record.event_id},
            {"url": "correlationId", "valueString": record.correlation_id},
        ],
    }


def _agents(record: AuditRecord) -> list[Json]:
    if record.interaction is None:
        return [_agent(one) for one in record.participants]
    client_role, server_role, person_role = ROLES[record.interaction]
    asker = record.participants[0]
    server = {"type": _concept(server_role), "who": {"display": _program(record.service)}, "requestor": False}
    if asker.kind == "person":
        client = {"type": _concept(client_role), "who": {"display": "a client of the REST API"}, "requestor": False}
        agents = [client, server, {"type": _concept(person_role), "who": _who(asker), "requestor": True}]
    else:
        agents = [{"type": _concept(client_role), "who": _who(asker), "requestor": True}, server]
    for machine in agents[:2]:
        machine["network"] = UNKNOWN
    return agents


def _agent(one: Participant) -> Json:
    role = AUTHOR if one.kind == "person" else APPLICATION
    who = _who(one) if one.is_requestor else {"display": _program(one.name)}
    return {"type": _concept(role), "who": who, "requestor": one.is_requestor}


def _who(one: Participant) -> Json:
    return {"identifier": {"system": ACTOR, "value": one.actor}}


def _program(service: str) -> str:
    return f"Steward {service}"


def _entity(subject: AuditObject) -> Json:
    entity: Json = {
        "what": {"identifier": {"system": f"urn:steward:{subject.kind.value}", "value": subject.id}},
        "type": _coding(f"{TERMINOLOGY}/audit-entity-type", str(subject.type), OBJECT_TYPES[subject.type]),
        "role": _coding(f"{TERMINOLOGY}/object-role", str(subject.role), OBJECT_ROLES[subject.role]),
    }
    if subject.details:
        entity["detail"] = [{"type": name, "valueString": value} for name, value in subject.details]
    return entity


def _code(code: Code) -> Json:
    return _coding(SYSTEMS[code.system], code.value, code.meaning)


def _concept(coding: Json) -> Json:
    return {"coding": [coding]}


def bundle_entry(event: Json, base: str, *, found: bool) -> Json:
    """An AuditEvent in a Bundle; ``found`` in one that answers a search."""
    entry: Json = {"fullUrl": f"{base}/AuditEvent/{event['id']}", "resource": event}
    return entry | {"search": {"mode": "match"}} if found else entry


def search_set(entries: Sequence[Json], links: dict[str, str]) -> Json:
    """The Bundle that answers a search. Its total is not told: to count would read all that is found."""
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": relation, "url": url} for relation, url in links.items()],
    }
    return bundle | {"entry": list(entries)} if entries else bundle


def capability_statement(base: str, parameters: Iterable[str]) -> Json:
    """What this server can do; ``parameters`` are those of a search by tokens, beside ``date``."""
    searched = [{"name": "date", "type": "date"}, *({"name": name, "type": "token"} for name in parameters)]
    audit_events = {
        "type": "AuditEvent",
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "searchParam": searched,
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": CAPABLE_SINCE,
        "kind": "instance",
        "software": {"name": "Steward"},
        "implementation": {"description": "The audit trail of Steward (IHE ITI-81)", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "description": "A bearer token of an auditor; of sites that are not his, nothing is told."
                },
                "resource": [audit_events],
            }
        ],
    }


def operation_outcome(code: str, text: str) -> Json:
    """FHIR's way to say what went wrong; ``code`` is of the value set issue-type."""
    issue = {"severity": "error", "code": code, "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}
