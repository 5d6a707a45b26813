"""The gate engine: which move an asset may make now, by which evidence, and what is missing. Pure.

Evidence that was recorded under an earlier version of the policy is judged by the one that is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from services.inventory.lifecycle.needs import Need, Needs, needs_of_adopted, needs_of_move
from services.inventory.policies.domain import Fact, Policy
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


class Met(NamedTuple):
    """A kind that is there, and by what: ids of evidence, ``waiver`` and its id, or ``computed``."""

    kind: str
    title: str
    by: tuple[str, ...]


class Missing(NamedTuple):
    """A kind that is not there, how to get it, and why what is there does not do."""

    kind: str
    title: str
    how: str
    why: str


class Decision(NamedTuple):
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
    needs = needs_of_move(policy, facts.state, to_state, facts.classes)
    if needs is None:
        return Decision(to_state, False, policy.version, (), (_no_way(policy, facts.state, to_state),))
    met, missing = _sorted(needs, facts, evidence, waivers, now)
    return Decision(to_state, not missing, policy.version, met, missing)


def owed_by_adopted(
    policy: Policy,
    facts: AssetFacts,
    evidence: Mapping[str, Sequence[Evidence]],
    waivers: Mapping[str, Sequence[Waiver]],
    now: datetime,
) -> tuple[Missing, ...]:
    """What an asset that was adopted in service lacks of the gates that it never passed."""
    return _sorted(needs_of_adopted(policy, facts.classes), facts, evidence, waivers, now)[1]


def _sorted(
    needs: Needs,
    facts: AssetFacts,
    evidence: Mapping[str, Sequence[Evidence]],
    waivers: Mapping[str, Sequence[Waiver]],
    now: datetime,
) -> tuple[tuple[Met, ...], tuple[Missing, ...]]:
    met, missing = [], []
    for need in needs:
        by, why = _judge(need, facts, evidence, now)
        if why and need.waivable and (waiver := _waived(waivers.get(need.kind, ()), now)):
            by, why = (f"waiver {waiver.id}",), ""
        if why:
            missing.append(Missing(need.kind, need.title, need.how, why))
        else:
            met.append(Met(need.kind, need.title, by))
    return tuple(met), tuple(missing)


def _judge(
    need: Need, facts: AssetFacts, evidence: Mapping[str, Sequence[Evidence]], now: datetime
) -> tuple[tuple[str, ...], str]:
    """By what the kind is met, or why it is not: nothing is worded that nobody needs to read."""
    whys = []
    for fact in need.facts:
        why = facts.said.get(fact, "it is not known yet")
        if why is None:
            return ("computed",), ""
        whys.append(why)
    earlier = None if need.other is None else _good(need.other, facts, evidence, now)
    good = []
    for one in evidence.get(need.kind, ()):
        if fault := _fault_of(need, one, facts, now):
            whys.append(fault)
        elif earlier is None or one.source != "statement":
            good.append(one)
        elif counted := _vouched(one, earlier):
            good.append(counted)
        else:
            whys.append("nobody else had recorded before what it is stated of")
    if not good:
        return (), "; ".join(dict.fromkeys(whys)) or "nothing was recorded"
    if need.each:
        return _of_each(need.each, facts, good)
    if need.capacities:
        return _of_capacities(need.capacities, good)
    return tuple([one.id for one in good]), ""


def _good(need: Need, facts: AssetFacts, evidence: Mapping[str, Sequence[Evidence]], now: datetime) -> list[Evidence]:
    """What counts of the evidence of a kind."""
    return [one for one in evidence.get(need.kind, ()) if not _fault_of(need, one, facts, now)]


def _vouched(one: Evidence, earlier: Sequence[Evidence]) -> Evidence | None:
    """A statement as far as another person had recorded before what it speaks of; None where nobody had."""
    others = [other for other in earlier if other.by != one.by and other.at <= one.at]
    covers = one.covers & frozenset[str]().union(*(other.covers for other in others))
    return replace(one, covers=covers) if others and bool(covers) == bool(one.covers) else None


def _fault_of(need: Need, one: Evidence, facts: AssetFacts, now: datetime) -> str:
    """Why a piece of evidence does not count now; empty where it does."""
    if one.revoked:
        return "what was recorded is revoked"
    if one.at > now and one.at > now + CLOCK_MERCY:
        return "what was recorded lies in the future"
    if one.valid_until is not None and now >= one.valid_until:
        return f"what was recorded was valid until {one.valid_until.isoformat(' ', 'minutes')[:16]} UTC"
    if need.validity is not None and now - one.at >= need.validity:
        return f"what was recorded is older than {need.validity.days} days"
    if need.since_move and facts.state_since is not None and one.at < facts.state_since:
        return f"what was recorded is older than the move to {facts.state}"
    if not _may_serve(need, one):
        return "the policy does not take what was recorded any more"
    return ""


def _may_serve(need: Need, one: Evidence) -> bool:
    if one.source == "document":
        return one.what in need.documents
    if one.source == "event":
        accepts = need.events.get(one.what)
        return accepts is not None and accepts(one.data)
    return one.role == need.role is not None and (not need.capacities or one.what in need.capacities)


def _of_each(each: str, facts: AssetFacts, good: list[Evidence]) -> tuple[tuple[str, ...], str]:
    """Whether all interfaces or media are covered. What names none of them speaks for an asset that has none."""
    wanted = facts.media if each == "medium" else {name: name for name in facts.interfaces}
    covered = frozenset[str]().union(*(one.covers for one in good))
    if lacking := [name for key, name in wanted.items() if key not in covered]:
        return (), f"missing for {', '.join(sorted(lacking))}"
    return tuple(one.id for one in good if not wanted or one.covers & wanted.keys()), ""


def _of_capacities(capacities: tuple[str, ...], good: list[Evidence]) -> tuple[tuple[str, ...], str]:
    """Whether as many different people have signed, one in each capacity."""
    signed = [[one for one in good if one.what == capacity] for capacity in capacities]
    if not all(signed):
        lacking = [capacity for capacity, of_it in zip(capacities, signed, strict=True) if not of_it]
        return (), f"nobody has signed as {' or '.join(lacking)}"
    chosen = next(_different(signed), None)
    if chosen is None:
        return (), f"{' and '.join(capacities)} must be different people"
    return tuple([one.id for one in chosen]), ""


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
