"""What a gate comes to, read from the policy's document word by word at each question: the engine must say the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from services.inventory.lifecycle.gates import CLOCK_MERCY, AssetFacts, Evidence, Waiver
from services.inventory.policies.domain import (
    ComputedSource,
    Condition,
    DocumentSource,
    EventSource,
    EvidenceKind,
    Policy,
    StatementSource,
)

Given = Mapping[str, Sequence[Evidence]]
Answer = tuple[dict[str, tuple[str, ...]], dict[str, str]]
"""By what each kind is met, and why each other is missing."""


def answer(
    policy: Policy,
    facts: AssetFacts,
    asked: Sequence[str],
    given: Given,
    waivers: Mapping[str, Sequence[Waiver]],
    now: datetime,
) -> Answer:
    """Judges the kinds that are asked for."""
    met: dict[str, tuple[str, ...]] = {}
    missing: dict[str, str] = {}
    for kind_id in asked:
        kind = policy.evidence[kind_id]
        by, why = judged(policy, kind_id, facts, given, now)
        holding = [one for one in waivers.get(kind_id, ()) if holds(one, now)]
        if why and kind.waivable and holding:
            met[kind_id] = (f"waiver {holding[0].id}",)
        elif why:
            missing[kind_id] = why
        else:
            met[kind_id] = by
    return met, missing


def holds(waiver: Waiver, now: datetime) -> bool:
    """Whether another than who asked has approved it, for longer than until now."""
    return waiver.approved_by not in (None, waiver.requested_by) and waiver.expires_at > now


def judged(policy: Policy, kind_id: str, facts: AssetFacts, given: Given, now: datetime) -> tuple[tuple[str, ...], str]:
    """By what one kind is met, or why it is not."""
    kind = policy.evidence[kind_id]
    said = [facts.said.get(one.fact, "it is not known yet") for one in kind.sources if isinstance(one, ComputedSource)]
    if None in said:
        return ("computed",), ""
    counted = [counts(policy, kind, one, facts, given, now) for one in given.get(kind_id, ())]
    good = [one for one in counted if isinstance(one, Evidence)]
    if not good:
        whys = [*said, *(one for one in counted if isinstance(one, str))]
        return (), "; ".join(dict.fromkeys(str(why) for why in whys)) or "nothing was recorded"
    capacities = [name for one in kind.sources if isinstance(one, StatementSource) for name in one.capacities]
    if kind.each:
        return of_each(dict(facts.media) if kind.each == "medium" else {one: one for one in facts.interfaces}, good)
    return of_capacities(capacities, good) if capacities else (tuple(one.id for one in good), "")


def of_each(wanted: Mapping[str, str], good: Sequence[Evidence]) -> tuple[tuple[str, ...], str]:
    """Whether each is covered by something."""
    lacking = sorted(name for key, name in wanted.items() if not any(key in one.covers for one in good))
    if lacking:
        return (), f"missing for {', '.join(lacking)}"
    return tuple(one.id for one in good if not wanted or any(key in one.covers for key in wanted)), ""


def of_capacities(capacities: Sequence[str], good: Sequence[Evidence]) -> tuple[tuple[str, ...], str]:
    """The first signatures, one in each capacity, that are of as many people."""
    signed = [[one for one in good if one.what == capacity] for capacity in capacities]
    lacking = [capacity for capacity, of_it in zip(capacities, signed, strict=True) if not of_it]
    if lacking:
        return (), f"nobody has signed as {' or '.join(lacking)}"
    for chosen in product(*signed):
        if len({one.by for one in chosen}) == len(chosen):
            return tuple(one.id for one in chosen), ""
    return (), f"{' and '.join(capacities)} must be different people"


def counts(
    policy: Policy, kind: EvidenceKind, one: Evidence, facts: AssetFacts, given: Given, now: datetime
) -> Evidence | str:
    """The evidence as far as it counts, or why it does not."""
    if fault := next(faults(kind, one, facts, now), None):
        return fault
    stated = next((source for source in kind.sources if isinstance(source, StatementSource)), None)
    if stated is None or stated.other_than is None or one.source != "statement":
        return one
    spoken_of = policy.evidence[stated.other_than]
    earlier = [
        other
        for other in given.get(stated.other_than, ())
        if not list(faults(spoken_of, other, facts, now)) and other.by != one.by and other.at <= one.at
    ]
    covers = frozenset(name for name in one.covers if any(name in other.covers for other in earlier))
    if not earlier or (one.covers and not covers):
        return "nobody else had recorded before what it is stated of"
    return replace(one, covers=covers)


def faults(kind: EvidenceKind, one: Evidence, facts: AssetFacts, now: datetime) -> Iterator[str]:
    """All that is wrong with a piece of evidence, what is said of it first."""
    if one.revoked:
        yield "what was recorded is revoked"
    if one.at - now > CLOCK_MERCY:
        yield "what was recorded lies in the future"
    if one.valid_until and one.valid_until <= now:
        yield f"what was recorded was valid until {one.valid_until:%Y-%m-%d %H:%M} UTC"
    if kind.validity_days and one.at + timedelta(days=kind.validity_days) <= now:
        yield f"what was recorded is older than {kind.validity_days} days"
    if kind.since_move and facts.state_since and one.at < facts.state_since:
        yield f"what was recorded is older than the move to {facts.state}"
    if not any(serves(source, one) for source in kind.sources):
        yield "the policy does not take what was recorded any more"


def serves(source: Any, one: Evidence) -> bool:
    """Whether a source of the policy takes a piece of evidence."""
    if isinstance(source, DocumentSource):
        return one.source == "document" and one.what in source.kinds
    if isinstance(source, EventSource):
        conditions = [*source.where, *source.passes]
        return one.source == "event" and one.what == source.event and all(is_so(c, one.data) for c in conditions)
    if isinstance(source, StatementSource):
        in_capacity = not source.capacities or one.what in source.capacities
        return one.source == "statement" and one.role == source.role and in_capacity
    return False


def is_so(condition: Condition, data: Mapping[str, Any]) -> bool:
    """Whether a condition holds for the data of an event."""
    values = list(found(data, condition.field.split(".")))
    if condition.differs_from is not None:
        said = [value for value in values if value is not None]
        others = list(found(data, condition.differs_from.split(".")))
        return bool(said) and not [value for value in said if value in others]
    if condition.at_least is not None:
        numbers = [value for value in values if type(value) in (int, float)]
        return any(value >= condition.at_least for value in numbers)
    return any(type(value) is type(wanted) and value == wanted for value in values for wanted in condition.one_of or ())


def found(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """The values at a path, those of each member where a list lies on it."""
    if isinstance(value, list):
        for member in value:
            yield from found(member, path) if path else [member]
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from found(value[path[0]], path[1:])
