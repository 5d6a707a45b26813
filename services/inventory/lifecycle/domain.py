"""What the lifecycle keeps and shows: moves, decisions, and the gates before the next moves."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Conflict
from shared.events import Instant
from shared.events.inventory import LifecycleState

FINAL: frozenset[LifecycleState] = frozenset({"closed", "cancelled"})
"""The states in which an asset's life is over."""

ID = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b12"


class Transition(BaseModel):
    """One move of an asset: from where to where, who made it, when and why, and the decision that allowed it."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(examples=[ID])
    asset_id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"])
    from_state: LifecycleState
    to_state: LifecycleState
    reason: str = Field(examples=["Replaced by Archive Two"])
    actor: str = Field(examples=["alice"])
    at: Instant
    decision_id: str | None = Field(default=None, description="null for moves made before there were gates")


class MetKind(BaseModel):
    """A kind of evidence that is there. ``by`` are ids of evidence, ``waiver`` and its id, or ``computed``."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    kind: str = Field(examples=["needs_assessment"])
    title: str = Field(examples=["Needs assessment"])
    by: list[str] = Field(examples=[[ID]])


class MissingKind(BaseModel):
    """A kind of evidence that is not there, how to get it, and why what is there does not do."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    kind: str = Field(examples=["needs_assessment"])
    title: str = Field(examples=["Needs assessment"])
    how: str = Field(examples=["Upload it and name it as evidence."])
    why: str = Field(examples=["nothing was recorded"])


class Judgement(BaseModel):
    """How a move was, or would be, judged under a version of the policy."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    to_state: LifecycleState
    allowed: bool
    policy_version: int
    met: list[MetKind]
    missing: list[MissingKind]


class Decision(Judgement):
    """How an attempt to move an asset was judged, by whom it was made, when and why."""

    id: str = Field(examples=[ID])
    asset_id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"])
    from_state: LifecycleState
    reason: str = Field(examples=["Replaced by Archive Two"])
    actor: str = Field(examples=["alice"])
    at: Instant


class Gates(BaseModel):
    """What stands before the next moves of an asset.

    One that was ``adopted`` ran already when it was registered; ``debt`` is what it lacks of the gates that it never
    passed.
    """

    asset_id: str
    state: LifecycleState
    adopted: bool
    policy_version: int
    next: list[Judgement]
    debt: list[MissingKind]


class GateClosed(Conflict):
    """A move lacks evidence, or there is no such move. The decision is to be kept by who answers."""

    def __init__(self, decision: Decision, allowed: Sequence[LifecycleState], nodes: Sequence[dict[str, str]]) -> None:
        missing = [one.model_dump() for one in decision.missing]
        extra = {"policy_version": decision.policy_version, "missing": missing, "allowed": list(allowed)}
        super().__init__(_sentence(decision), **extra, **({"nodes": list(nodes)} if nodes else {}))
        self.decision = decision


def _sentence(decision: Decision) -> str:
    if [one.kind for one in decision.missing] == [NO_WAY]:
        return decision.missing[0].why
    lacking = "; ".join(f"{one.title} ({one.why})" for one in decision.missing)
    return f"from {decision.from_state} to {decision.to_state} is missing: {lacking}"


NO_WAY: Literal["move"] = "move"
