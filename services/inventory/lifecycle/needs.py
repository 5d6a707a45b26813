"""What stands before a move, read from the policy once: of each kind of evidence all that the engine looks at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Literal

from services.inventory.policies.conditions import Check, any_of
from services.inventory.policies.domain import BEFORE_SERVICE, EvidenceKind, Fact, Policy
from shared.events.inventory import LifecycleState


@dataclass(frozen=True, slots=True)
class Need:
    """One kind of evidence. ``other`` is the kind that a statement of it speaks of, where it speaks of one."""

    kind: str
    title: str
    how: str
    waivable: bool
    facts: tuple[Fact, ...]
    documents: frozenset[str]
    events: Mapping[str, Check]
    role: Literal["operator", "approver"] | None
    capacities: tuple[str, ...]
    validity: timedelta | None
    since_move: bool
    each: Literal["interface", "medium"] | None
    other: "Need | None" = None


Needs = tuple[Need, ...]


@lru_cache(maxsize=1024)
def needs_of_move(
    policy: Policy, from_state: LifecycleState, to_state: LifecycleState, classes: frozenset[str]
) -> Needs | None:
    """What an asset of these classes must show for a move; None where there is no such move."""
    needs = policy.needs(from_state, to_state, classes)
    return None if needs is None else tuple(_need(policy, kind_id) for kind_id, _ in needs)


@lru_cache(maxsize=64)
def needs_of_adopted(policy: Policy, classes: frozenset[str]) -> Needs:
    """What an asset of these classes would have shown at the gates that it did not pass when it was adopted."""
    owed = [
        kind_id
        for move in policy.moves
        if move.from_state in BEFORE_SERVICE and move.to_state in policy.owed_by_adopted
        for kind_id, _ in policy.needs(move.from_state, move.to_state, classes) or ()
    ]
    return tuple(_need(policy, kind_id) for kind_id in dict.fromkeys(owed))


def _need(policy: Policy, kind_id: str) -> Need:
    kind = policy.evidence[kind_id]
    stated = kind.statement
    spoken_of = None if stated is None else stated.other_than
    return _alone(kind_id, kind, None if spoken_of is None else _alone(spoken_of, policy.evidence[spoken_of]))


def _alone(kind_id: str, kind: EvidenceKind, other: Need | None = None) -> Need:
    return Need(
        kind=kind_id,
        title=kind.title,
        how=kind.how,
        waivable=kind.waivable,
        facts=kind.facts,
        documents=kind.documents,
        events={event: any_of([source.accepts for source in sources]) for event, sources in kind.events.items()},
        role=None if kind.statement is None else kind.statement.role,
        capacities=kind.capacities,
        validity=kind.validity,
        since_move=kind.since_move,
        each=kind.each,
        other=other,
    )
