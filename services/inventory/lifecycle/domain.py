"""Rules of the lifecycle: which state may follow which."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Conflict
from shared.events import Instant
from shared.events.inventory import LifecycleState

MOVES: Mapping[LifecycleState, tuple[LifecycleState, ...]] = {
    "proposed": ("planned", "cancelled"),
    "planned": ("procured", "cancelled"),
    "procured": ("staged", "cancelled"),
    "staged": ("commissioning", "cancelled"),
    "commissioning": ("in_service", "cancelled"),
    "in_service": ("maintenance", "degraded", "retiring"),
    "maintenance": ("in_service",),
    "degraded": ("in_service",),
    "retiring": ("migrated", "in_service"),
    "migrated": ("isolated",),
    "isolated": ("sanitized",),
    "sanitized": ("disposed",),
    "disposed": ("closed",),
    "closed": (),
    "cancelled": (),
}
"""From each state, the states that may come next. From ``isolated`` on there is only forward."""

FINAL: frozenset[LifecycleState] = frozenset(state for state, following in MOVES.items() if not following)
"""The states in which an asset's life is over."""


class Transition(BaseModel):
    """One move of an asset: from where to where, who made it, when and why."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b12"])
    asset_id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"])
    from_state: LifecycleState
    to_state: LifecycleState
    reason: str = Field(examples=["Replaced by Archive Two"])
    actor: str = Field(examples=["alice"])
    at: Instant


def check_move(from_state: LifecycleState, to_state: LifecycleState) -> None:
    """Raises Conflict, with the moves that are allowed from here, when this one is not."""
    allowed = MOVES[from_state]
    if to_state not in allowed:
        named = " or ".join(allowed) if allowed else "nothing, for that is the end"
        raise Conflict(f"from {from_state} there is no way to {to_state}, only to {named}", allowed=list(allowed))
