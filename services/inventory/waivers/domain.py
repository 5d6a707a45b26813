"""Rules of waivers: never for sanitization or signatures, never for ever, never approved by who asked."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from services.inventory.lifecycle import gates
from services.inventory.policies.domain import Policy
from shared.errors import Conflict, Malformed
from shared.events import Instant
from shared.events.inventory import WaiverChanged
from shared.resource import Resource

State = Literal["requested", "approved", "rejected", "withdrawn"]
Verdict = Literal["approved", "rejected"]


class Waiver(Resource):
    """That a step of an asset's life goes without a kind of evidence, until it expires."""

    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b17"])
    asset_id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10"])
    site_id: str = Field(examples=["north"])
    kind: str = Field(examples=["capacity_forecast"])
    state: State
    reason: str = Field(examples=["The vendor delivers the figures in April."])
    expires_at: Instant
    requested_by: str = Field(examples=["alice"])
    requested_at: Instant
    decided_by: str | None = None
    decided_at: Instant | None = None
    decision_reason: str | None = None

    def as_judged(self, persons: Mapping[str, str]) -> gates.Waiver:
        """What the gate engine sees of it; ``persons`` are the people behind the names."""
        approved_by = persons[self.decided_by] if self.decided_by and self.state == "approved" else None
        return gates.Waiver(self.id, self.expires_at, persons[self.requested_by], approved_by)


def check_request(policy: Policy, kind_id: str, expires_at: datetime, now: datetime) -> None:
    """Raises Malformed for a kind that is none or an expiry out of bounds, Conflict for what is never waived."""
    kind = policy.evidence.get(kind_id)
    if kind is None:
        raise Malformed("kind", f"is no kind of evidence of policy {policy.version}", next(iter(policy.evidence)))
    if not kind.waivable:
        raise Conflict(f"there is no waiver for {kind_id}: {kind.title}", how=kind.how)
    latest = now + timedelta(days=policy.max_waiver_days)
    if not now < expires_at <= latest:
        rule = f"must lie ahead, by at most {policy.max_waiver_days} days"
        raise Malformed("expires_at", rule, (latest - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))


def decided(old: Waiver, verdict: Verdict, actor: str, same: Collection[str], reason: str, now: datetime) -> Waiver:
    """The waiver with an approver's verdict. Raises Conflict where it has one, has expired or is the actor's own.

    ``same`` are all names of the actor.
    """
    _check_open(old)
    if old.requested_by in same:
        whose = "" if actor == old.requested_by else f", as {old.requested_by}"
        told = f"{actor} has asked for this waiver{whose}; another person decides"
        raise Conflict(told, requested_by=old.requested_by)
    if verdict == "approved" and now >= old.expires_at:
        raise Conflict(f"the waiver has expired at {old.expires_at.isoformat()}; ask for another")
    return _ended(old, verdict, actor, reason, now)


def withdrawn(old: Waiver, actor: str, reason: str, now: datetime) -> Waiver:
    """The waiver, taken back before or after its approval. Raises Conflict when it was rejected or withdrawn."""
    if old.state != "approved":
        _check_open(old)
    return _ended(old, "withdrawn", actor, reason, now)


def _check_open(old: Waiver) -> None:
    if old.state != "requested":
        raise Conflict(f"the waiver is {old.state} already", state=old.state)


def _ended(old: Waiver, state: State, actor: str, reason: str, now: datetime) -> Waiver:
    changes = {"state": state, "decided_by": actor, "decided_at": now, "decision_reason": reason}
    return old.model_copy(update={**changes, "version": old.version + 1})


def full_state(waiver: Waiver) -> WaiverChanged:
    """What ``waiver.changed`` tells."""
    return WaiverChanged(
        waiver_id=waiver.id,
        kind=waiver.kind,
        state=waiver.state,
        reason=waiver.reason,
        expires_at=waiver.expires_at,
        requested_by=waiver.requested_by,
        decided_by=waiver.decided_by,
        decision_reason=waiver.decision_reason,
        version=waiver.version,
    )
