"""Commands on evidence, and what events do to it."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.inventory.assets import handlers as assets
from services.inventory.assets.domain import Asset
from services.inventory.documents.handlers import find_document
from services.inventory.evidence import store
from services.inventory.evidence.domain import (
    EventFact,
    EvidenceRecord,
    SourceName,
    check_covers,
    check_document,
    check_event,
    check_other_signer,
    check_serves_asset,
    check_statement,
    check_vouches,
    covered_by,
    end_of,
    full_state,
    kind_of,
    takes_back,
    until_of,
)
from services.inventory.history.handlers import keep
from services.inventory.lifecycle.domain import FINAL
from services.inventory.lifecycle.facts import facts_of
from services.inventory.people.domain import check_is_person
from services.inventory.people.handlers import same_person
from services.inventory.policies.conditions import values_at
from services.inventory.policies.domain import EventSource, EvidenceKind, Policy
from services.inventory.policies.handlers import newest_policy
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.events import Event, EventData
from shared.grants import Role
from shared.resource import check_version
from shared.transactions import Transaction, new_id

LONG_FIELDS = {"items"}
"""What no condition reads and what would make a stored event long."""


async def find_evidence(conn: Connection, evidence_id: str) -> EvidenceRecord:
    """One piece of evidence. Raises NotFound."""
    return await store.select_evidence(conn, evidence_id)


async def evidence_of(conn: Connection, asset_id: str) -> Mapping[str, Sequence[EvidenceRecord]]:
    """All evidence of an asset by kind, also what is revoked."""
    by_kind: dict[str, list[EvidenceRecord]] = {}
    for record in await store.select_of_asset(conn, asset_id):
        by_kind.setdefault(record.kind, []).append(record)
    return by_kind


async def record_document(
    tx: Transaction, asset_id: str, kind_id: str, document_id: str, covers: Sequence[str]
) -> EvidenceRecord:
    """Names a document, with the bytes that it has now. Raises NotFound, Conflict, Malformed."""
    asset, policy, kind = await _open(tx, asset_id, kind_id)
    document = await find_document(tx.conn, document_id)
    check_document(kind, asset, document)
    record = _record(tx, asset, kind_id, policy, "document", document.kind).model_copy(
        update={
            "reference": document.id,
            "sha256": document.sha256,
            "valid_until": end_of(document),
            "covers": await _covers(tx, asset, kind, covers),
        }
    )
    return await _keep(tx, record)


async def record_statement(
    tx: Transaction, asset_id: str, kind_id: str, words: str, role: Role, capacity: str | None, covers: Sequence[str]
) -> EvidenceRecord:
    """Takes down what the actor states, as ``role``. Raises NotFound, Conflict, Malformed, Forbidden."""
    asset, policy, kind = await _open(tx, asset_id, kind_id)
    stated = check_statement(kind, role, capacity)
    if role == "approver":
        check_is_person(tx.actor)
    earlier = await store.select_of_asset(tx.conn, asset_id)
    same = await same_person(tx.conn, tx.actor, {one.recorded_by for one in earlier})
    check_other_signer(kind, [one for one in earlier if one.kind == kind_id], same, capacity, tx.now)
    covered = await _covers(tx, asset, kind, covers)
    if stated.other_than is not None:
        spoken_of = [one for one in earlier if one.kind == stated.other_than]
        check_vouches(stated.other_than, spoken_of, same, covered)
    record = _record(tx, asset, kind_id, policy, "statement", capacity or "").model_copy(
        update={"statement": words, "role": role, "covers": covered}
    )
    return await _keep(tx, record)


async def record_event(tx: Transaction, asset_id: str, kind_id: str, event_id: str) -> EvidenceRecord:
    """Names an event that inventory has heard. Raises NotFound, Conflict, Malformed."""
    asset, policy, kind = await _open(tx, asset_id, kind_id)
    fact = await store.select_fact(tx.conn, event_id)
    source = check_event(kind, asset, fact)
    await _check_not_ended(tx, source, fact)
    return await _keep(tx, _of_event(tx, asset, kind_id, policy, source, fact))


async def revoke_evidence(tx: Transaction, evidence_id: str, expected_version: int, reason: str) -> EvidenceRecord:
    """Takes evidence back: from now on no gate counts it. Raises NotFound, Stale, Conflict."""
    old = await store.select_evidence(tx.conn, evidence_id)
    await assets.hold_asset(tx, old.asset_id)
    old = await store.select_evidence(tx.conn, evidence_id)
    check_version(f"evidence {evidence_id}", old, expected_version)
    if old.revoked_at is not None:
        raise Conflict(f"evidence {evidence_id} is revoked already", revoked_reason=old.revoked_reason)
    return await _revoke(tx, old, reason)


async def take_event(tx: Transaction, event: Event[EventData]) -> None:
    """Keeps an event, lets it serve where the policy says so, and takes back what it speaks against.

    The same event again changes nothing. Assets that inventory has not, or has at another site, are passed over.
    """
    data = event.data.model_dump(mode="json", exclude=LONG_FIELDS) | {"subject": event.subject}
    digest = hashlib.sha256(event.raw).hexdigest()
    at = min(event.time, tx.now)
    fact = EventFact(
        id=event.id, type=event.type, subject=event.subject, site_id=event.site_id, at=at, sha256=digest, data=data
    )
    if not await store.insert_fact(tx.conn, fact):
        return
    policy = await newest_policy(tx.conn)
    for kind_id, kind in policy.evidence.items():
        for source in kind.events.get(fact.type, ()):
            if source.selects(fact.data):
                await _apply(tx, policy, kind_id, source, fact)
        for sources in kind.events.values():
            for source in sources:
                if fact.type in source.ended_by:
                    await _end(tx, kind_id, source, fact)


async def _apply(tx: Transaction, policy: Policy, kind_id: str, source: EventSource, fact: EventFact) -> None:
    for asset_id in dict.fromkeys(values_at(fact.data, source.about)):
        asset = await _asset_at(tx, asset_id, fact.site_id)
        if asset is None:
            continue
        if source.accepts(fact.data):
            if not await _has_ended(tx, source, fact) and not await _was_recorded(tx, asset, kind_id, fact):
                await _keep(tx, _of_event(tx, asset, kind_id, policy, source, fact))
        else:
            for earlier in await store.select_of_asset(tx.conn, asset.id, kind_id):
                if takes_back(source, fact, earlier):
                    await _revoke(tx, earlier, f"event {fact.id} ({fact.type}) shows the contrary")


async def _end(tx: Transaction, kind_id: str, source: EventSource, fact: EventFact) -> None:
    if source.key is None:
        return
    begun = await store.select_facts_like(tx.conn, [source.event], fact.site_id, _same(source.key, fact))
    for record in await store.select_by_events(tx.conn, [one.id for one in begun]):
        if record.kind == kind_id and record.revoked_at is None:
            await assets.hold_asset(tx, record.asset_id)
            await _revoke(tx, record, f"event {fact.id} ({fact.type}) has ended it")


async def _has_ended(tx: Transaction, source: EventSource, fact: EventFact) -> bool:
    """Whether the end has been heard of before the beginning: their topics are read side by side."""
    if not source.ended_by or source.key is None:
        return False
    return bool(await store.select_facts_like(tx.conn, source.ended_by, fact.site_id, _same(source.key, fact)))


async def _check_not_ended(tx: Transaction, source: EventSource, fact: EventFact) -> None:
    if await _has_ended(tx, source, fact):
        raise Conflict(f"what event {fact.id} began has ended")


def _same(key: str, fact: EventFact) -> dict[str, Any]:
    return {key: fact.data.get(key)}


async def _was_recorded(tx: Transaction, asset: Asset, kind_id: str, fact: EventFact) -> bool:
    recorded = await store.select_by_events(tx.conn, [fact.id])
    return any((one.asset_id, one.kind) == (asset.id, kind_id) for one in recorded)


async def _asset_at(tx: Transaction, asset_id: object, site_id: str) -> Asset | None:
    try:
        asset = await assets.hold_asset(tx, str(asset_id))
    except NotFound:
        return None
    return asset if asset.site_id == site_id and asset.state not in FINAL else None


async def _open(tx: Transaction, asset_id: str, kind_id: str) -> tuple[Asset, Policy, EvidenceKind]:
    asset = await assets.hold_asset(tx, asset_id)
    check_serves_asset(asset)
    policy = await newest_policy(tx.conn)
    return asset, policy, kind_of(policy, kind_id)


async def _covers(tx: Transaction, asset: Asset, kind: EvidenceKind, covers: Sequence[str]) -> list[str]:
    if kind.each is None and not covers:
        return []
    return check_covers(kind, await facts_of(tx.conn, asset, tx.now), covers)


def _of_event(
    tx: Transaction, asset: Asset, kind_id: str, policy: Policy, source: EventSource, fact: EventFact
) -> EvidenceRecord:
    return _record(tx, asset, kind_id, policy, "event", fact.type, fact.at).model_copy(
        update={
            "reference": fact.id,
            "sha256": fact.sha256,
            "covers": covered_by(source, fact.data),
            "data": fact.data,
            "valid_until": until_of(source, fact.data),
        }
    )


def _record(
    tx: Transaction,
    asset: Asset,
    kind_id: str,
    policy: Policy,
    source: SourceName,
    what: str,
    at: datetime | None = None,
) -> EvidenceRecord:
    return EvidenceRecord(
        id=new_id(),
        asset_id=asset.id,
        site_id=asset.site_id,
        kind=kind_id,
        source=source,
        what=what,
        reference=None,
        sha256=None,
        statement=None,
        role=None,
        covers=[],
        data={},
        at=at or tx.now,
        valid_until=None,
        policy_version=policy.version,
        recorded_by=tx.actor,
        recorded_at=tx.now,
        version=1,
    )


async def _keep(tx: Transaction, record: EvidenceRecord) -> EvidenceRecord:
    await store.insert_evidence(tx.conn, record)
    await keep(tx, "evidence", None, record)
    tx.record(full_state(record), subject=record.asset_id, site_id=record.site_id)
    return record


async def _revoke(tx: Transaction, old: EvidenceRecord, reason: str) -> EvidenceRecord:
    record = old.model_copy(
        update={
            "revoked_by": tx.actor,
            "revoked_at": tx.now,
            "revoked_reason": reason,
            "version": old.version + 1,
        }
    )
    await store.revoke_evidence(tx.conn, record, old.version)
    await keep(tx.because(reason), "evidence", old, record)
    tx.record(full_state(record), subject=record.asset_id, site_id=record.site_id)
    return record
