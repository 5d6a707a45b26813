"""The gate engine: which move an asset may make now, by which evidence, and what is missing. Pure.

Evidence that was recorded under an earlier version of the policy is judged by the one that is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from services.inventory.policies.domain import BEFORE_SERVICE, EvidenceKind, Fact, Policy
from shared.events.inventory import LifecycleState

CLOCK_MERCY = timedelta(minutes=5)
"""How far the clock that told of evidence may be ahead of the one that judges it."""

Source = Literal["document", "event", "statement"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that may serve. ``what`` is the document's kind, the event's type or the capacity of who stated it.

    ``data`` are the event's, ``covers`` the interfaces or media that it speaks of, ``by`` who stated it as ``role``.
    """

    id: str
    source: Source
    what: str
    at: datetime
    by: str
    valid_until: datetime | None = None
    revoked: bool = False
    covers: frozenset[str] = frozenset()
    role: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiver:
    """What somebody asked for and, once ``approved_by`` is set, another has approved."""

    id: str
    expires_at: datetime
    requested_by: str
    approved_by: str | None


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """What the engine must know of an asset. ``state_since`` is when it came there, None where it has never moved.

    ``said`` answers what inventory finds out by itself: None where it is so, else why not. ``media`` are told by name.
    """

    state: LifecycleState
    classes: frozenset[str]
    state_since: datetime | None = None
    interfaces: frozenset[str] = frozenset()
    media: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[Fact, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Met:
    """A kind that is there, and by what: ids of evidence, ``waiver`` and its id, or ``computed``."""

    kind: str
    title: str
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A kind that is not there, how to get it, and why what is there does not do."""

    kind: str
    title: str
    how: str
    why: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the asset may move, under which version of the policy."""

    to_state: LifecycleState
    allowed: bool
    policy_version: int
    met: tuple[Met, ...]
    missing: tuple[Missing, ...]


def decide(
    policy: Policy,
    facts: AssetFacts,
    to_state: LifecycleState,
    evidence: Mapping[str, Sequence[Evidence]],
    waivers: Mapping[str, Sequence[Waiver]],
    now: datetime,
) -> Decision:
    """Judges one move by the evidence and waivers of the asset, each by kind."""
    needs = policy.needs(facts.state, to_state, facts.classes)
    if needs is None:
        return Decision(to_state, False, policy.version, (), (_no_way(policy, facts.state, to_state),))
    met, missing = _sorted(policy, needs, facts, evidence, waivers, now)
    return Decision(to_state, not missing, policy.version, met, missing)


def owed_by_adopted(
    policy: Policy,
    facts: AssetFacts,
    evidence: Mapping[str, Sequence[Evidence]],
    waivers: Mapping[str, Sequence[Waiver]],
    now: datetime,
) -> tuple[Missing, ...]:
    """What an asset that was adopted in service lacks of the gates that it never passed."""
    owed = dict(
        need
        for move in policy.moves
        if move.from_state in BEFORE_SERVICE and move.to_state in policy.owed_by_adopted
        for need in policy.needs(move.from_state, move.to_state, facts.classes) or ()
    )
    return _sorted(policy, tuple(owed.items()), facts, evidence, waivers, now)[1]


def _sorted(
    policy: Policy,
    needs: tuple[tuple[str, EvidenceKind], ...],
    facts: AssetFacts,
    evidence: Mapping[str, Sequence[Evidence]],
    waivers: Mapping[str, Sequence[Waiver]],
    now: datetime,
) -> tuple[tuple[Met, ...], tuple[Missing, ...]]:
    met, missing = [], []
    for kind_id, kind in needs:
        earlier = _spoken_of(policy, kind, facts, evidence, now)
        by, why = _judge(kind, facts, evidence.get(kind_id, ()), earlier, now)
        if why and kind.waivable and (waiver := _waived(waivers.get(kind_id, ()), now)):
            by, why = (f"waiver {waiver.id}",), ""
        if why:
            missing.append(Missing(kind_id, kind.title, kind.how, why))
        else:
            met.append(Met(kind_id, kind.title, by))
    return tuple(met), tuple(missing)


def _spoken_of(
    policy: Policy,
    kind: EvidenceKind,
    facts: AssetFacts,
    evidence: Mapping[str, Sequence[Evidence]],
    now: datetime,
) -> Sequence[Evidence] | None:
    """What counts of the evidence that a statement of the kind speaks of; None where it speaks of none."""
    if kind.statement is None or kind.statement.other_than is None:
        return None
    other = policy.evidence[kind.statement.other_than]
    return [one for one in evidence.get(kind.statement.other_than, ()) if not fault_of(other, one, facts, now)]


def vouched(one: Evidence, earlier: Sequence[Evidence]) -> Evidence | None:
    """A statement as far as another person had recorded before what it speaks of; None where nobody had."""
    others = [other for other in earlier if other.by != one.by and other.at <= one.at]
    covers = one.covers & frozenset[str]().union(*(other.covers for other in others))
    return replace(one, covers=covers) if others and bool(covers) == bool(one.covers) else None


def _judge(
    kind: EvidenceKind,
    facts: AssetFacts,
    given: Sequence[Evidence],
    earlier: Sequence[Evidence] | None,
    now: datetime,
) -> tuple[tuple[str, ...], str]:
    """By what the kind is met, or why it is not."""
    whys = []
    for fact in kind.facts:
        why = facts.said.get(fact, "it is not known yet")
        if why is None:
            return ("computed",), ""
        whys.append(why)
    good = []
    for one in given:
        if fault := fault_of(kind, one, facts, now):
            whys.append(fault)
        elif earlier is None or one.source != "statement":
            good.append(one)
        elif counted := vouched(one, earlier):
            good.append(counted)
        else:
            whys.append("nobody else had recorded before what it is stated of")
    if good:
        if kind.each:
            return _of_each(kind.each, facts, good)
        if kind.capacities:
            return _of_capacities(kind.capacities, good)
        return tuple(one.id for one in good), ""
    return (), "; ".join(dict.fromkeys(whys)) or "nothing was recorded"


def fault_of(kind: EvidenceKind, one: Evidence, facts: AssetFacts, now: datetime) -> str:
    """Why a piece of evidence does not count now; empty where it does."""
    if one.revoked:
        return "what was recorded is revoked"
    if one.at > now + CLOCK_MERCY:
        return "what was recorded lies in the future"
    if one.valid_until is not None and now >= one.valid_until:
        return f"what was recorded was valid until {one.valid_until:%Y-%m-%d %H:%M} UTC"
    if kind.validity is not None and now - one.at >= kind.validity:
        return f"what was recorded is older than {kind.validity_days} days"
    if kind.since_move and facts.state_since is not None and one.at < facts.state_since:
        return f"what was recorded is older than the move to {facts.state}"
    if not _may_serve(kind, one):
        return "the policy does not take what was recorded any more"
    return ""


def _may_serve(kind: EvidenceKind, one: Evidence) -> bool:
    if one.source == "document":
        return one.what in kind.documents
    if one.source == "event":
        return any(source.accepts(one.data) for source in kind.events.get(one.what, ()))
    stated = kind.statement
    return stated is not None and one.role == stated.role and (not stated.capacities or one.what in stated.capacities)


def _of_each(each: str, facts: AssetFacts, good: list[Evidence]) -> tuple[tuple[str, ...], str]:
    """Whether all interfaces or media are covered. What names none of them speaks for an asset that has none."""
    wanted = facts.media if each == "medium" else {name: name for name in facts.interfaces}
    covered = frozenset[str]().union(*(one.covers for one in good))
    if lacking := [name for key, name in wanted.items() if key not in covered]:
        return (), f"missing for {', '.join(sorted(lacking))}"
    return tuple(one.id for one in good if not wanted or one.covers & wanted.keys()), ""


def _of_capacities(capacities: tuple[str, ...], good: list[Evidence]) -> tuple[tuple[str, ...], str]:
    """Whether as many different people have signed, one in each capacity."""
    by_capacity = {capacity: [one for one in good if one.what == capacity] for capacity in capacities}
    if lacking := [capacity for capacity, signed in by_capacity.items() if not signed]:
        return (), f"nobody has signed as {' or '.join(lacking)}"
    chosen = next(_different(list(by_capacity.values())), None)
    if chosen is None:
        return (), f"{' and '.join(capacities)} must be different people"
    return tuple(one.id for one in chosen), ""


def _different(choices: list[list[Evidence]], taken: frozenset[str] = frozenset()) -> Iterator[tuple[Evidence, ...]]:
    """Every way to choose one of each, all by different people."""
    if not choices:
        yield ()
        return
    for one in choices[0]:
        if one.by not in taken:
            for rest in _different(choices[1:], taken | {one.by}):
                yield (one, *rest)


def _waived(waivers: Sequence[Waiver], now: datetime) -> Waiver | None:
    """A waiver that holds now: approved by another than who asked, and not expired."""
    for waiver in waivers:
        if waiver.approved_by is not None and waiver.approved_by != waiver.requested_by and now < waiver.expires_at:
            return waiver
    return None


def _no_way(policy: Policy, from_state: LifecycleState, to_state: LifecycleState) -> Missing:
    following = policy.next_states.get(from_state, ())
    named = " or ".join(following) or "nothing, for that is the end"
    return Missing(
        kind="move",
        title="A way",
        how=f"From {from_state} go to {named}.",
        why=f"from {from_state} there is no way to {to_state}, only to {named}",
    )
