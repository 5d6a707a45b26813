"""Rules of evidence: what a document, an event or a statement must be to serve an asset's gate."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.inventory.assets.domain import Asset, check_not_ended
from services.inventory.documents.domain import Document
from services.inventory.lifecycle.gates import AssetFacts, Evidence
from services.inventory.policies.conditions import values_at
from services.inventory.policies.domain import EventSource, EvidenceKind, Policy, StatementSource
from shared.errors import Conflict, Forbidden, Malformed, NotFound
from shared.events import GROUP, Instant
from shared.events.inventory import EvidenceChanged
from shared.grants import Role
from shared.resource import Resource

SourceName = Literal["document", "event", "statement"]
PASSED = "passed"


class EvidenceRecord(Resource):
    """What serves for a step of an asset's life. Once recorded, it can only be revoked.

    ``reference`` is the id of the document or event; ``what`` the document's kind, the event's type, or the capacity
    in which a statement was made. ``covers`` are the interfaces or media that it speaks of.
    """

    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b16"])
    asset_id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10"])
    site_id: str = Field(examples=["north"])
    kind: str = Field(examples=["needs_assessment"])
    source: SourceName
    what: str = Field(examples=["needs_assessment"])
    reference: str | None
    sha256: str | None
    statement: str | None
    role: Role | None
    covers: list[str]
    data: dict[str, Any] = Field(exclude=True)
    at: Instant
    valid_until: Instant | None
    policy_version: int
    recorded_by: str = Field(examples=["alice"])
    recorded_at: Instant
    revoked_by: str | None = None
    revoked_at: Instant | None = None
    revoked_reason: str | None = None

    def as_judged(self, person: str, paper: Document | None) -> Evidence:
        """What the gate engine sees of it; ``person`` is who has recorded it, under one name.

        ``paper`` is the document as it stands now: one that ends sooner than it did takes its evidence with it.
        """
        ends = [end for end in (self.valid_until, end_of(paper) if paper else None) if end is not None]
        return Evidence(
            id=self.id,
            source=self.source,
            what=self.what,
            at=self.at,
            by=person,
            valid_until=min(ends, default=None),
            revoked=self.revoked_at is not None,
            covers=frozenset(self.covers),
            role=self.role,
            data=self.data,
        )


class EventFact(BaseModel):
    """An event that can be evidence, as far as conditions may read it; its ``data`` has the subject too."""

    id: str
    type: str
    subject: str
    site_id: str
    at: datetime
    sha256: str
    data: dict[str, Any]


def kind_of(policy: Policy, kind_id: str) -> EvidenceKind:
    """The kind, as the policy describes it. Raises Malformed."""
    kind = policy.evidence.get(kind_id)
    if kind is None:
        rule = f"is no kind of evidence of policy {policy.version}, GET /inventory/v1/policies/{policy.version}"
        raise Malformed("kind", rule, next(iter(policy.evidence)))
    return kind


def check_serves_asset(asset: Asset) -> None:
    """Raises Conflict when the asset's life is over."""
    check_not_ended(asset)


def check_document(kind: EvidenceKind, asset: Asset, document: Document) -> None:
    """Raises NotFound for one of another site, Conflict for one of another asset, Malformed for one of another kind."""
    if document.site_id not in (asset.site_id, GROUP):
        raise NotFound(f"no document {document.id}")
    if asset.id not in document.asset_ids:
        raise Conflict(f"document {document.id} does not belong to {asset.kind} {asset.name}")
    if document.kind not in kind.documents:
        takes = " or ".join(sorted(kind.documents)) or "none"
        raise Malformed(
            "document_id", f"is a {document.kind}; for this kind of evidence serves {takes}", "a certificate"
        )


def end_of(document: Document) -> datetime | None:
    """The instant from which a document is not valid any more: the end of its last day, wherever that ends last."""
    if document.valid_until is None:
        return None
    return datetime.combine(document.valid_until + timedelta(days=1), time(12), UTC)


def check_event(kind: EvidenceKind, asset: Asset, fact: EventFact) -> EventSource:
    """The source that an event serves by.

    Raises NotFound for one of another site, Conflict for one of another asset or one that shows the contrary,
    Malformed for one of a type that does not serve.
    """
    if fact.site_id != asset.site_id:
        raise NotFound(f"no event {fact.id}")
    sources = kind.events.get(fact.type)
    if sources is None:
        takes = " or ".join(kind.events) or "none"
        raise Malformed("event_id", f"is a {fact.type}; for this kind of evidence serves {takes}", "a suite.completed")
    about = [source for source in sources if asset.id in values_at(fact.data, source.about)]
    if not about:
        raise Conflict(f"event {fact.id} is not about {asset.kind} {asset.name}")
    serving = next((source for source in about if source.accepts(fact.data)), None)
    if serving is None:
        raise Conflict(f"event {fact.id} does not show what this kind of evidence asks for")
    return serving


def check_statement(kind: EvidenceKind, role: Role, capacity: str | None) -> StatementSource:
    """Raises Malformed for a kind that nobody can state or a capacity that it does not have, Forbidden for the role."""
    stated = kind.statement
    if stated is None:
        raise Malformed("statement", "is not enough for this kind of evidence", "a document_id or an event_id")
    if stated.role != role:
        where = "signatures" if stated.role == "approver" else "evidence"
        raise Forbidden(f"this is for the role {stated.role}, by POST /inventory/v1/assets/{{id}}/{where}")
    if stated.capacities and capacity not in stated.capacities:
        raise Malformed("capacity", f"must be one of {', '.join(stated.capacities)}", stated.capacities[0])
    if not stated.capacities and capacity is not None:
        raise Malformed("capacity", "this kind of evidence knows none", "leave it out")
    return stated


def check_other_signer(
    kind: EvidenceKind, earlier: Sequence[EvidenceRecord], same: Collection[str], capacity: str | None, now: datetime
) -> None:
    """Raises Conflict when the actor, under any of his names, has signed in a capacity already, and that counts."""
    for one in earlier:
        is_past = kind.validity is not None and now - one.at >= kind.validity
        if one.revoked_at is None and not is_past and one.recorded_by in same and capacity is not None:
            raise Conflict(
                f"{one.recorded_by} has signed as {one.what} already; each capacity is signed by another person, once",
                evidence_id=one.id,
            )


def check_vouches(
    kind_id: str, earlier: Sequence[EvidenceRecord], same: Collection[str], covers: Collection[str]
) -> None:
    """Raises Conflict where the actor speaks of evidence of a kind that nobody has recorded, or nobody but he, under
    any of his names."""
    standing = [one for one in earlier if one.revoked_at is None]
    by_others = [one for one in standing if one.recorded_by not in same]
    lacking = sorted(set(covers).difference(*(one.covers for one in by_others)))
    if standing and not by_others:
        recorder = standing[0].recorded_by
        raise Conflict(f"{recorder} has recorded the {kind_id}; that it holds is for another person to say")
    if lacking or not by_others:
        of = f" for {', '.join(lacking)}" if lacking else ""
        raise Conflict(f"no {kind_id} was recorded{of} by anybody else; that comes first")


def check_covers(kind: EvidenceKind, facts: AssetFacts, covers: Collection[str]) -> list[str]:
    """What a document or statement covers. Raises Malformed where it must say so, or names what the asset has not."""
    if kind.each is None:
        if covers:
            raise Malformed("covers", "this kind of evidence is for the asset as a whole", "leave it out")
        return []
    wanted = facts.media.keys() if kind.each == "medium" else facts.interfaces
    if unknown := sorted(set(covers) - set(wanted)):
        raise Malformed("covers", f"{unknown[0]!r} is no {kind.each} of the asset", next(iter(sorted(wanted)), "none"))
    if not covers and len(wanted) > 1:
        raise Malformed("covers", f"must say which {kind.each} it is for", sorted(wanted)[0])
    return sorted(covers or wanted)


def covered_by(source: EventSource, data: Mapping[str, Any]) -> list[str]:
    """The interfaces or media that an event speaks of: those that it names as passed, where it tells them apart."""
    found = values_at(data, source.covers) if source.covers else []
    tables = [one for one in found if isinstance(one, Mapping)]
    names = [name for table in tables for name, verdict in table.items() if verdict == PASSED]
    return sorted({*names, *(one for one in found if isinstance(one, str))})


def spoken_of(source: EventSource, data: Mapping[str, Any]) -> frozenset[str]:
    """All interfaces or media that an event names, whatever it says of them."""
    found = values_at(data, source.covers) if source.covers else []
    tables = [one for one in found if isinstance(one, Mapping)]
    return frozenset([*(n for t in tables for n in t), *(one for one in found if isinstance(one, str))])


def until_of(source: EventSource, data: Mapping[str, Any]) -> datetime | None:
    """When what an event shows ends."""
    told = values_at(data, source.until) if source.until else []
    try:
        return datetime.fromisoformat(str(told[0])) if told and told[0] is not None else None
    except ValueError:
        return None


def takes_back(source: EventSource, fact: EventFact, earlier: EvidenceRecord) -> bool:
    """Whether an event that shows the contrary takes back what an earlier one served for."""
    if earlier.source != "event" or earlier.what != fact.type or earlier.revoked_at is not None or earlier.at > fact.at:
        return False
    if source.key and values_at(earlier.data, source.key) != values_at(fact.data, source.key):
        return False
    spoken = spoken_of(source, fact.data)
    return not spoken or not earlier.covers or bool(spoken.intersection(earlier.covers))


def full_state(record: EvidenceRecord) -> EvidenceChanged:
    """What ``evidence.changed`` tells."""
    return EvidenceChanged(
        evidence_id=record.id,
        kind=record.kind,
        source=record.source,
        state="recorded" if record.revoked_at is None else "revoked",
        reference=record.reference,
        sha256=record.sha256,
        statement=record.statement,
        capacity=record.what if record.source == "statement" and record.what else None,
        covers=record.covers,
        valid_until=record.valid_until,
        reason=record.revoked_reason,
        policy_version=record.policy_version,
        version=record.version,
    )
