"""What each type of event is as an audit record: one row a contract, and a row for what has none.

The event codes are those of DICOM (PS3.16, context groups 400 and 401); another code names Steward's own type.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from services.compliance.export.domain import (
    Action,
    AuditObject,
    AuditRecord,
    Code,
    Interaction,
    Participant,
    ShownEntry,
    printable,
)
from services.compliance.log.entry import parse_entry
from services.compliance.log.outcome import Outcome, outcome_of

DCM = "DCM"
STEWARD = "99STEWARD"
"""DICOM keeps designators that begin with 99 for private coding schemes (PS3.16 §8.2)."""

APPLICATION_ACTIVITY = Code(DCM, "110100", "Application Activity")
AUDIT_LOG_USED = Code(DCM, "110101", "Audit Log Used")
SECURITY_ALERT = Code(DCM, "110113", "Security Alert")
HARDWARE_CONFIGURATION = Code(DCM, "110130", "Hardware Configuration")
SOFTWARE_CONFIGURATION = Code(DCM, "110131", "Software Configuration")
AUDIT_RECORDING_STOPPED = Code(DCM, "110133", "Audit Recording Stopped")
SECURITY_ROLES_CHANGED = Code(DCM, "110136", "Security Roles Changed")

SYSTEM_OBJECT = 2
RESOURCE, SECURITY_RESOURCE = 4, 13

Data = Mapping[str, Any]
Details = tuple[tuple[str, str], ...]
FIRST_VERSION = 1
MEANINGLESS = frozenset({"", "None"})


@dataclass(frozen=True, slots=True)
class Row:
    """How a type of event reads. ``kind`` is what its subject is, ``details`` the fields of the data that name more.

    ``by_request`` is set where somebody's request over REST makes the event, and the subject is what it changes.
    """

    kind: str
    action: Action | Callable[[Data], Action]
    event: Code = APPLICATION_ACTIVITY
    kinds: tuple[Code, ...] = ()
    details: tuple[str, ...] = ()
    role: int = RESOURCE
    by_request: bool = False


def _by_version(data: Data) -> Action:
    return "C" if data.get("version") == FIRST_VERSION else "U"


def _by_deletion(data: Data) -> Action:
    return "D" if data.get("deleted") else _by_version(data)


def _by_revocation(data: Data) -> Action:
    return "C" if data.get("revoked_at") is None else "D"


HARDWARE = (HARDWARE_CONFIGURATION,)
ALERT = ("alert_id", "check", "system_id")
BACKUP = ("run_id", "set_id", "repository")
PARTITION = ("first", "end", "root", "location")
NOTICE = ("delivery_id", "about", "person_id")
REPORT = ("report_id", "alert_id")
WINDOW = ("window_id", "systems")

ROWS: Mapping[str, Row] = {
    "site.changed": Row("site", _by_version, by_request=True),
    "group.changed": Row("group", _by_deletion, details=("name", "parent_id"), by_request=True),
    "field.changed": Row("field", _by_deletion, details=("component_type", "name"), by_request=True),
    "person.changed": Row("person", _by_version, by_request=True),
    "vendor.changed": Row("vendor", _by_version, by_request=True),
    "product.changed": Row("product", _by_version, details=("vendor_id",), by_request=True),
    "product_version.changed": Row("product-version", _by_version, details=("product_id",), by_request=True),
    "contract.changed": Row("contract", _by_version, details=("vendor_id", "document_id"), by_request=True),
    "link.changed": Row("link", _by_deletion, kinds=HARDWARE, details=("from_id", "to_id"), by_request=True),
    "document.changed": Row("document", _by_version, details=("asset_ids", "change_id", "sha256"), by_request=True),
    "approved_software.changed": Row(
        "approved-software", _by_deletion, kinds=(SOFTWARE_CONFIGURATION,), details=("name",), by_request=True
    ),
    "software.listed": Row("asset", "U", kinds=(SOFTWARE_CONFIGURATION,), details=("document_id", "sha256")),
    "mds2.recorded": Row("asset", "U", kinds=(SOFTWARE_CONFIGURATION,), details=("document_id", "sha256")),
    "asset.changed": Row("asset", _by_version, kinds=HARDWARE, details=("system_id",), by_request=True),
    "usage.recorded": Row("asset", "U", details=("counter", "value"), by_request=True),
    "asset.transitioned": Row("asset", "U", kinds=HARDWARE, by_request=True),
    "asset.retired": Row("asset", "U", kinds=HARDWARE, by_request=True),
    "evidence.changed": Row("asset", "U", details=("evidence_id", "kind", "state", "reference"), by_request=True),
    "waiver.changed": Row("asset", "U", details=("waiver_id", "kind", "state"), by_request=True),
    "policy.changed": Row("policy", "C", details=("policy_version", "sha256"), by_request=True),
    "recycler.changed": Row("recycler", _by_version, by_request=True),
    "custody.changed": Row("asset", "U", kinds=HARDWARE, details=("custody_id", "recycler_id"), by_request=True),
    "disposal.recorded": Row("asset", "U", kinds=HARDWARE, details=("disposal_id", "recycler_id"), by_request=True),
    "dossier.sealed": Row("asset", "U", details=("dossier_id", "sha256"), by_request=True),
    "dossier.signed": Row("asset", "U", details=("signature_id", "dossier_id", "sha256"), by_request=True),
    "replacement.changed": Row("asset", "U", details=("order_id", "state", "reference"), by_request=True),
    "end_rule.changed": Row("end-rule", _by_version, by_request=True),
    "training.completed": Row("asset", "E", details=("training_id", "person_id")),
    "probe.result": Row("asset", "E", details=("probe_id", "window_id")),
    "report.filed": Row("asset", "E", details=REPORT),
    "report.closed": Row("asset", "E", details=REPORT),
    "check.changed": Row("asset", _by_deletion, details=("check_id",)),
    "baseline.forgotten": Row("asset", "D", details=("probe_id", "measure")),
    "suite.requested": Row("asset", "E", details=("run_id", "suite_id", "about")),
    "suite.completed": Row("asset", "E", details=("run_id", "suite_id", "about", "report")),
    "alert.raised": Row("asset", "E", SECURITY_ALERT, details=ALERT),
    "alert.resolved": Row("asset", "E", SECURITY_ALERT, details=ALERT),
    "alert.transitioned": Row("asset", "E", details=(*ALERT, "what", "probe_id")),
    "window.scheduled": Row("site", "C", details=WINDOW),
    "window.rescheduled": Row("site", "U", details=WINDOW),
    "window.cancelled": Row("site", "U", details=WINDOW),
    "window.started": Row("site", "E", details=WINDOW),
    "window.ended": Row("site", "E", details=WINDOW),
    "patch.applied": Row("asset", "U", SECURITY_ALERT, (SOFTWARE_CONFIGURATION,), ("patch_id",)),
    "backup.completed": Row("asset", "E", details=BACKUP),
    "backup.failed": Row("asset", "E", details=BACKUP),
    "backup.verified": Row("asset", "E", details=("verification_id", "set_id", "report")),
    "restore.drilled": Row("asset", "E", details=("drill_id", "report")),
    "migration.verified": Row("asset", "E", details=("migration_id", "destination_system_id", "manifest")),
    "media.sanitized": Row("asset", "E", details=("certificate_id", "system_id", "certificate")),
    "advisory.published": Row("asset", "E", SECURITY_ALERT, details=("advisory_id", "state")),
    "change.transitioned": Row("site", "U", details=("change_id", "window_id", "systems")),
    "notice.sent": Row("site", "E", details=NOTICE),
    "notice.failed": Row("site", "E", details=NOTICE),
    "key.changed": Row("key", _by_revocation, SECURITY_ALERT, (SECURITY_ROLES_CHANGED,), ("name",), SECURITY_RESOURCE),
    "log.manifest": Row("audit-log", "C", role=SECURITY_RESOURCE),
    "log.events_lost": Row("audit-log", "E", SECURITY_ALERT, (AUDIT_RECORDING_STOPPED,), role=SECURITY_RESOURCE),
    "witness.refused": Row("witness", "E", SECURITY_ALERT, details=("refusal", "size"), role=SECURITY_RESOURCE),
    "retention.changed": Row("audit-log", "U", details=("log_type", "days"), role=SECURITY_RESOURCE),
    "hold.changed": Row("audit-log", "U", details=("state", "log_type", "of_subject"), role=SECURITY_RESOURCE),
    "log.archived": Row("audit-log", "R", AUDIT_LOG_USED, details=PARTITION, role=SECURITY_RESOURCE),
    "log.pruned": Row("audit-log", "D", SECURITY_ALERT, details=PARTITION, role=SECURITY_RESOURCE),
    "log.restored": Row("audit-log", "C", details=PARTITION, role=SECURITY_RESOURCE),
    "log.accessed": Row("audit-log", "R", AUDIT_LOG_USED, details=("what",), role=SECURITY_RESOURCE),
}
FALLBACK = Row("subject", "E")
"""For a type that this version does not know: an application did something."""

INTERACTIONS: Mapping[Action, Interaction] = {"C": "create", "R": "read", "U": "update", "D": "delete"}


def audit_record(shown: ShownEntry) -> AuditRecord:
    """The entry in terms of an audit record. Raises NotAnEntry."""
    entry = parse_entry(shown.raw)
    event = json.loads(entry.event)
    data = event.get("data") or {}
    row = ROWS.get(event["type"], FALLBACK)
    action = row.action if isinstance(row.action, str) else row.action(data)
    words = {name: printable(value) for name, value in event.items() if isinstance(value, str)}
    service = words["source"].rpartition("/")[2]
    participants = tuple(_participants(words["actor"], service))
    outcome = outcome_of(event["type"], data.get("outcome"))
    return AuditRecord(
        index=shown.index,
        leaf_hash=shown.leaf_hash,
        site_id=entry.site_id,
        site_sequence=entry.site_sequence,
        recorded_at=entry.recorded_at,
        event_id=words["id"],
        time=msgspec.convert(words["time"], datetime),
        event=row.event,
        kinds=(*row.kinds, type_code(words["type"])),
        action=action,
        interaction=INTERACTIONS[action] if row.by_request and participants[0].kind != "service" else None,
        outcome=outcome,
        reason=_reason(data, outcome),
        participants=participants,
        service=service,
        subject=AuditObject(SYSTEM_OBJECT, row.role, _kind_code(row.kind), words["subject"], _details(row, data)),
        correlation_id=words["correlationid"],
    )


def type_code(event_type: str) -> Code:
    """Steward's own code for a type of event."""
    return Code(STEWARD, event_type, event_type)


def _kind_code(kind: str) -> Code:
    return Code(STEWARD, kind, kind.replace("-", " "))


def _participants(actor: str, service: str) -> Iterator[Participant]:
    """Who asked, first; then the service that carried it out, unless it asked itself."""
    kind, separator, name = actor.partition(":")
    asker = Participant("person", actor, True)
    if separator and kind == "service":
        asker = Participant("service", name, True)
    elif separator and kind == "key":
        asker = Participant("key", name, True)
    yield asker
    if (asker.kind, asker.name) != ("service", service):
        yield Participant("service", service, False)


def _details(row: Row, data: Data) -> Details:
    found = []
    for field in row.details:
        value = data.get(field)
        for one in value if isinstance(value, list) else [value]:
            text = str(one.get("id") if isinstance(one, dict) else one)
            if text not in MEANINGLESS:
                found.append((field, printable(text)))
    return tuple(found)


def _reason(data: Data, outcome: Outcome) -> str | None:
    """What a person reads of a failure."""
    told = next((data[field] for field in ("reason", "detail", "summary") if data.get(field)), None)
    return printable(str(told)) if outcome and told else None
