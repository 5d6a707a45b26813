"""Commands on the lifecycle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from services.inventory.assets import handlers as assets
from services.inventory.assets.domain import Asset, System, check_nodes_ended
from services.inventory.documents.domain import Document
from services.inventory.documents.handlers import documents_of
from services.inventory.dossier import handlers as dossiers
from services.inventory.evidence.domain import EvidenceRecord
from services.inventory.evidence.handlers import evidence_of
from services.inventory.lifecycle import gates, store
from services.inventory.lifecycle.domain import (
    FINAL,
    Decision,
    GateClosed,
    Gates,
    Judgement,
    MissingKind,
    Transition,
)
from services.inventory.lifecycle.facts import facts_of
from services.inventory.people.handlers import persons_behind
from services.inventory.policies.domain import Policy
from services.inventory.policies.handlers import newest_policy
from services.inventory.waivers.domain import Waiver
from services.inventory.waivers.handlers import approved_of
from shared.database import Connection
from shared.events.inventory import AssetRetired, AssetTransitioned, LifecycleState
from shared.transactions import Transaction, new_id

MOST_NAMED = 100
"""So many pieces of evidence stand in an event beside the longest reason, which may fill 40 of its 48 KiB."""


Recorded = Mapping[str, Sequence[EvidenceRecord]]


@dataclass(frozen=True)
class Case:
    """All that a move of an asset is judged by."""

    policy: Policy
    facts: gates.AssetFacts
    evidence: Mapping[str, Sequence[gates.Evidence]]
    waivers: Mapping[str, Sequence[gates.Waiver]]
    now: datetime

    def decide(self, to_state: LifecycleState) -> gates.Decision:
        """Whether the asset may move there."""
        return gates.decide(self.policy, self.facts, to_state, self.evidence, self.waivers, self.now)

    def debt(self) -> tuple[gates.Missing, ...]:
        """What it lacks of gates that it never passed."""
        return gates.owed_by_adopted(self.policy, self.facts, self.evidence, self.waivers, self.now)


async def move_asset(
    tx: Transaction, asset_id: str, expected_version: int, to_state: LifecycleState, reason: str
) -> Asset:
    """Moves an asset to another state and keeps who did it, when, why and by which evidence.

    Raises NotFound, Stale, or GateClosed with what is missing; that decision is kept by ``keep_refusal``.
    """
    tx = tx.because(reason)
    old = await assets.lock_asset(tx, asset_id, expected_version)
    live = await assets.live_nodes(tx, old.id) if isinstance(old, System) and to_state in FINAL else []
    case = await _case_of(tx.conn, old, tx.now)
    decision = _decision(tx, old, case.decide(to_state), reason)
    if not decision.allowed:
        nodes = [{"id": node.id, "name": node.name, "state": node.state} for node in live]
        raise GateClosed(decision, case.policy.next_states.get(old.state, ()), nodes)
    check_nodes_ended(live)
    moved = await assets.put_in_state(tx, old, to_state)
    made = Transition(
        id=new_id(),
        asset_id=asset_id,
        from_state=old.state,
        to_state=to_state,
        reason=reason,
        actor=tx.actor,
        at=tx.now,
        decision_id=decision.id,
    )
    await store.insert_decision(tx.conn, decision)
    await store.insert_transition(tx.conn, made)
    _record(tx, moved, made, decision)
    if to_state == "isolated" and isinstance(moved, System):
        await store.insert_media_at_isolation(tx.conn, asset_id, case.facts.media.keys())
    if to_state == "closed":
        digest = await dossiers.digest_of(tx.conn, asset_id)
        retired = AssetRetired(kind=moved.kind, name=moved.name, reason=reason, dossier_sha256=digest)
        tx.record(retired, subject=asset_id, site_id=moved.site_id)
    return moved


async def keep_refusal(tx: Transaction, decision: Decision) -> Decision:
    """Keeps that somebody was refused a move, and what was missing."""
    await store.insert_decision(tx.conn, decision)
    return decision


async def gates_of(conn: Connection, asset: Asset, now: datetime) -> Gates:
    """What stands before each move that the asset could make next, and what it owes where it was adopted."""
    case = await _case_of(conn, asset, now)
    following = case.policy.next_states.get(asset.state, ())
    adopted = asset.state != "proposed" and not await store.has_been_proposed(conn, asset.id)
    return Gates(
        asset_id=asset.id,
        state=asset.state,
        adopted=adopted,
        policy_version=case.policy.version,
        next=[Judgement.model_validate(case.decide(to_state)) for to_state in following],
        debt=[MissingKind.model_validate(one) for one in case.debt()] if adopted else [],
    )


async def _case_of(conn: Connection, asset: Asset, now: datetime) -> Case:
    recorded = await evidence_of(conn, asset.id)
    waived = await approved_of(conn, asset.id)
    persons = await persons_behind(conn, _actors(recorded, waived))
    papers = await _papers_of(conn, asset, recorded)
    return Case(
        policy=await newest_policy(conn),
        facts=await facts_of(conn, asset, now),
        evidence={
            kind: [one.as_judged(persons[one.recorded_by], papers.get(one.reference or "")) for one in records]
            for kind, records in recorded.items()
        },
        waivers={kind: [one.as_judged(persons) for one in waivers] for kind, waivers in waived.items()},
        now=now,
    )


def _actors(recorded: Recorded, waived: Mapping[str, Sequence[Waiver]]) -> set[str]:
    asked = [one for waivers in waived.values() for one in waivers]
    decided = {one.decided_by for one in asked if one.decided_by}
    return {one.recorded_by for one in chain(*recorded.values())} | {one.requested_by for one in asked} | decided


async def _papers_of(conn: Connection, asset: Asset, recorded: Recorded) -> Mapping[str, Document]:
    """The documents of the asset as they stand, where any serves as evidence."""
    if not any(one.source == "document" for one in chain(*recorded.values())):
        return {}
    return {paper.id: paper for paper in await documents_of(conn, asset.id)}


def _decision(tx: Transaction, asset: Asset, judged: gates.Decision, reason: str) -> Decision:
    judgement = Judgement.model_validate(judged)
    return Decision(
        **dict(judgement),
        id=new_id(),
        asset_id=asset.id,
        from_state=asset.state,
        reason=reason,
        actor=tx.actor,
        at=tx.now,
    )


def _record(tx: Transaction, asset: Asset, made: Transition, decision: Decision) -> None:
    named = sorted({by for one in decision.met for by in one.by if by != "computed"})
    transitioned = AssetTransitioned(
        from_state=made.from_state,
        to_state=made.to_state,
        reason=made.reason,
        policy_version=decision.policy_version,
        evidence=named[:MOST_NAMED],
        evidence_omitted=len(named[MOST_NAMED:]),
        decision_id=decision.id,
    )
    tx.record(transitioned, subject=asset.id, site_id=asset.site_id)
