"""What a dossier tells of an asset: its life as one value of JSON, with everything in one order. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from services.inventory.assets.domain import Asset, Component, Node
from services.inventory.custody.disposal import Disposal
from services.inventory.custody.domain import Custody
from services.inventory.documents.domain import Document
from services.inventory.evidence.domain import EventFact, EvidenceRecord
from services.inventory.lifecycle.domain import Decision, Transition
from services.inventory.policies.domain import PublishedPolicy
from services.inventory.sites.domain import Site
from services.inventory.waivers.domain import Waiver

FORMAT = "steward-dossier/1"
SANITIZED = "media.sanitized"
COPIES = ("backup.verified", "migration.verified")
COPY_KINDS = ("retrievable_copy", "migration_manifest")
PURGED = ("clear", "purge")
RULES: Mapping[str, str] = {
    "45 CFR 164.310(d)(2)(i)": "Disposal: final disposition of health information and of the media that it is on",
    "45 CFR 164.310(d)(2)(ii)": "Media re-use: health information is removed before media are used again",
    "45 CFR 164.310(d)(2)(iii)": "Accountability: where hardware and media went, and who was responsible",
    "45 CFR 164.310(d)(2)(iv)": "Data backup and storage: a retrievable, exact copy before equipment is moved",
}


@dataclass(frozen=True)
class ToldEvent:
    """An event that the audit log has, by the digest of its bytes."""

    id: str
    type: str
    subject: str
    sha256: str


@dataclass(frozen=True)
class Life:
    """All that is known of an asset and of its parts, each list in the order of its ids.

    ``left`` are media that kept its data when it was isolated, and belong elsewhere now.
    """

    asset: Asset
    site: Site
    parts: Sequence[Node | Component]
    left: Sequence[Component]
    transitions: Sequence[Transition]
    decisions: Sequence[Decision]
    policies: Sequence[PublishedPolicy]
    evidence: Sequence[EvidenceRecord]
    waivers: Sequence[Waiver]
    custody: Sequence[Custody]
    disposals: Sequence[Disposal]
    documents: Sequence[Document]
    facts: Sequence[EventFact]
    told: Sequence[ToldEvent]

    @property
    def components(self) -> list[Component]:
        """The components that end with the asset, itself included where it is one."""
        return [one for one in (self.asset, *self.parts) if isinstance(one, Component)]

    @property
    def media(self) -> list[Component]:
        """What keeps data, or was meant to."""
        return [*(one for one in self.components if is_medium(one) and one.state != "cancelled"), *self.left]

    def chain(self, asset_id: str) -> list[Custody]:
        """The chain of custody of an asset."""
        return [link for link in self.custody if link.asset_id == asset_id]


def is_medium(component: Component) -> bool:
    """Whether a component keeps data."""
    return component.type == "drive" or component.media_type is not None


def certificates(life: Life) -> list[EventFact]:
    """The newest certificate of sanitization of each medium that somebody else than its verifier has validated."""
    media = {medium.id for medium in life.media}
    newest: dict[str, EventFact] = {}
    for fact in sorted(life.facts, key=lambda one: (one.at, one.id)):
        if fact.type == SANITIZED and fact.subject in media and is_validated(fact.data):
            newest[fact.subject] = fact
    return sorted(newest.values(), key=lambda one: one.id)


def is_validated(data: Mapping[str, Any]) -> bool:
    """Whether a certificate was validated, and by another person than the one who verified the medium."""
    return data.get("validated") is True and data.get("validated_by") not in (None, data.get("verified_by"))


def documents_in(life: Life) -> list[dict[str, Any]]:
    """The documents that go with the record; two of the same content share a file."""
    told = [
        {
            "path": f"documents/{one.sha256}{_suffix(one.name)}",
            "size": one.size,
            "sha256": one.sha256,
            "document_id": one.id,
            "version": one.version,
            "kind": one.kind,
            "title": one.title,
            "name": one.name,
            "media_type": one.media_type,
        }
        for one in life.documents
    ]
    return sorted(told, key=lambda one: (str(one["path"]), str(one["document_id"])))


def _suffix(name: str) -> str:
    end = name.rpartition(".")[2].lower() if "." in name else ""
    return f".{end}" if end.isascii() and end.isalnum() and len(end) <= 8 else ""


def record_of(life: Life) -> dict[str, Any]:
    """The record: the same life gives the same value, whoever asks and when."""
    return {
        "format": FORMAT,
        "asset": _told(life.asset),
        "site": {"id": life.site.id, "name": life.site.name, "time_zone": life.site.time_zone},
        "parts": _all_told(life.parts),
        "media_left": [{"id": one.id, "name": one.name, "serial": one.serial} for one in life.left],
        "transitions": _all_told(life.transitions),
        "decisions": _all_told(life.decisions),
        "policies": [
            {"version": one.version, "title": one.policy.title, "sha256": one.sha256} for one in life.policies
        ],
        "evidence": _all_told(life.evidence),
        "waivers": _all_told(life.waivers),
        "certificates": [_certificate(fact) for fact in certificates(life)],
        "custody": _all_told(life.custody),
        "disposals": _all_told(life.disposals),
        "documents": documents_in(life),
        "privacy": [
            {"rule": rule, "title": title, "shown_by": shown}
            for (rule, title), shown in zip(RULES.items(), _shown(life), strict=True)
        ],
        "events": [
            {"id": one.id, "type": one.type, "subject": one.subject, "sha256": one.sha256}
            for one in sorted(_events(life), key=lambda told: told.id)
        ],
    }


def manifest_of(
    record: Mapping[str, Any], files: Sequence[Mapping[str, Any]], sealed_by: str, sealed_at: datetime
) -> dict[str, Any]:
    """The manifest: the record, who sealed it and when, and the digest of each file beside it."""
    at = sealed_at.isoformat().replace("+00:00", "Z")
    return {**record, "files": list(files), "sealed_by": sealed_by, "sealed_at": at}


def _shown(life: Life) -> list[list[str]]:
    """Which events and records show that each of the rules was kept."""
    certified = certificates(life)
    media = {medium.id for medium in life.media}
    valid = [one for one in life.evidence if one.revoked_at is None]
    papers = [one.id for one in valid if one.source == "document" and media.intersection(one.covers)]
    return [
        sorted([*(fact.id for fact in certified), *papers, *(one.id for one in life.disposals)]),
        sorted([*(fact.id for fact in certified if fact.data.get("method") in PURGED), *papers]),
        sorted(link.id for link in life.custody),
        sorted(one.reference or one.id for one in valid if one.what in COPIES or one.kind in COPY_KINDS),
    ]


def _facts_of_evidence(life: Life) -> list[EventFact]:
    served = {one.reference for one in life.evidence if one.source == "event"}
    return [fact for fact in life.facts if fact.id in served]


def _events(life: Life) -> Iterable[ToldEvent]:
    facts = {fact.id: fact for fact in (*certificates(life), *_facts_of_evidence(life))}
    told = {one.id: one for one in life.told}
    return (
        told | {fact.id: ToldEvent(fact.id, fact.type, fact.subject, fact.sha256) for fact in facts.values()}
    ).values()


def _certificate(fact: EventFact) -> dict[str, Any]:
    return {"event_id": fact.id, "medium_id": fact.subject, **fact.data}


def _told(thing: BaseModel) -> dict[str, Any]:
    return thing.model_dump(mode="json")


def _all_told(things: Iterable[BaseModel]) -> list[dict[str, Any]]:
    return [_told(thing) for thing in things]
