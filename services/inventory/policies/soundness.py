"""Which policies make sense, and which promises no policy may break.

Whatever a group decides: an asset reaches ``closed`` only by ``isolated``, ``sanitized`` and ``disposed``; from there
on there is only forward; what keeps data is sanitized under certificates that nothing replaces; a system's hardware has
its chain of custody and stands on a recycler's manifest; and two people sign its dossier.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import get_args

from services.inventory.policies.domain import BEFORE_SERVICE, Condition, EventSource, EvidenceKind, Fact, Policy
from shared.errors import Malformed
from shared.events import EventData
from shared.events.backup import BackupVerified, MediaSanitized, MigrationVerified, RestoreDrilled
from shared.events.decommissioning import DossierSealed
from shared.events.inventory import LifecycleState, TrainingCompleted
from shared.events.maintenance import ChangeTransitioned, WindowCancelled, WindowEnded, WindowStarted
from shared.events.probes import SuiteCompleted

STATES: tuple[LifecycleState, ...] = get_args(LifecycleState)
FINAL: frozenset[LifecycleState] = frozenset({"closed", "cancelled"})
STARTS: tuple[LifecycleState, ...] = ("proposed", "in_service")
LAST_STEPS: tuple[LifecycleState, ...] = ("isolated", "sanitized", "disposed", "closed")
PROVED_FACTS: tuple[tuple[tuple[LifecycleState, LifecycleState], Fact], ...] = (
    (("sanitized", "disposed"), "custody_complete"),
    (("sanitized", "disposed"), "on_manifest"),
    (("disposed", "closed"), "dossier_sealed"),
    (("disposed", "closed"), "dossier_signatures"),
)
"""What a system shows by its own records, and nothing else replaces."""

KEEPS_DATA = ("system", "component:drive", "component:medium")

EVIDENCE_EVENTS: Mapping[str, type[EventData]] = {
    contract.event_type: contract
    for contract in (
        SuiteCompleted,
        BackupVerified,
        RestoreDrilled,
        MigrationVerified,
        MediaSanitized,
        TrainingCompleted,
        ChangeTransitioned,
        WindowStarted,
        WindowEnded,
        WindowCancelled,
        DossierSealed,
    )
}
"""The events that inventory hears and that may serve as evidence, or end what serves."""

Fault = tuple[str, str, str]
"""A field, the rule that it breaks, an example."""


class UnsoundPolicy(Malformed):
    """A policy breaks rules; the answer names every one of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(*faults[0])
        self.extra = {"errors": [{"field": f, "rule": rule, "example": example} for f, rule, example in faults]}


def check_policy(policy: Policy) -> None:
    """Raises UnsoundPolicy with all that is wrong."""
    faults = [*_wrong_names(policy), *_wrong_ways(policy), *_wrong_kinds(policy)]
    if faults or (faults := [*_broken_promises(policy)]):
        raise UnsoundPolicy(faults)


def _wrong_names(policy: Policy) -> Iterator[Fault]:
    """A gate that needs what nobody has described."""
    example = next(iter(policy.evidence), "needs_assessment")
    for number, move in enumerate(policy.moves):
        for place, gate in enumerate(move.gates):
            for kind in gate.needs:
                if kind not in policy.evidence:
                    yield (
                        f"moves.{number}.gates.{place}.needs",
                        f"{kind!r} is no kind of evidence of this policy",
                        example,
                    )


def _wrong_ways(policy: Policy) -> Iterator[Fault]:
    """Steps that are told twice, lead backwards or nowhere, and states that nothing reaches or leaves."""
    seen: set[tuple[str, str]] = set()
    for number, move in enumerate(policy.moves):
        way, field = (move.from_state, move.to_state), f"moves.{number}"
        if way in seen:
            yield field, f"from {way[0]} to {way[1]} is told twice", "one move with two gates"
        seen.add(way)
        if move.from_state in FINAL:
            yield f"{field}.from_state", f"{way[0]} is the end; nothing follows it", "disposed"
        if move.to_state == "cancelled" and move.from_state not in BEFORE_SERVICE:
            yield f"{field}.from_state", "only what was never in service is cancelled", "planned"
        if move.from_state in LAST_STEPS[:-1] and way not in pairwise(LAST_STEPS):
            yield f"{field}.to_state", f"from {way[0]} the only way is to the next of {', '.join(LAST_STEPS)}", "closed"
        elif move.to_state in LAST_STEPS[1:] and way not in pairwise(LAST_STEPS):
            yield f"{field}.from_state", f"{way[1]} is reached only in the order {', '.join(LAST_STEPS)}", "disposed"
    reached = _reached_from(STARTS, policy)
    for state in STATES:
        if state not in reached:
            yield "moves", f"no way leads to {state}", f'{{"from_state": "…", "to_state": "{state}"}}'
        elif state not in FINAL and not FINAL & _reached_from((state,), policy):
            yield "moves", f"from {state} no way leads to closed or cancelled", f'{{"from_state": "{state}", …}}'


def _reached_from(starts: Sequence[LifecycleState], policy: Policy) -> set[LifecycleState]:
    reached: set[LifecycleState] = set()
    ahead = list(starts)
    while ahead:
        state = ahead.pop()
        if state not in reached:
            reached.add(state)
            ahead.extend(policy.next_states.get(state, ()))
    return reached


def _wrong_kinds(policy: Policy) -> Iterator[Fault]:
    """Kinds that nothing could ever serve as they stand."""
    for kind_id, kind in policy.evidence.items():
        field = f"evidence.{kind_id}"
        if kind.capacities and kind.waivable:
            yield f"{field}.waivable", "signatures of several people are never waived", "false"
        if len(set(kind.capacities)) < len(kind.capacities):
            yield f"{field}.sources", "each capacity stands once", '["radiology", "it"]'
        if kind.capacities and len(kind.sources) > 1:
            yield f"{field}.sources", "what people sign for in several capacities nothing else replaces", "one source"
        elif sum(source.type == "statement" for source in kind.sources) > 1:
            yield f"{field}.sources", "has more than one kind of statement", "one source of the type statement"
        for number, source in enumerate(kind.sources):
            if isinstance(source, EventSource):
                yield from _wrong_event(source, f"{field}.sources.{number}")


def _wrong_event(source: EventSource, field: str) -> Iterator[Fault]:
    contract = EVIDENCE_EVENTS.get(source.event)
    if contract is None:
        yield f"{field}.event", f"must be one of {', '.join(EVIDENCE_EVENTS)}", "suite.completed"
        return
    paths = {"about": source.about, "covers": source.covers, "until": source.until, "key": source.key}
    paths |= {f"where.{n}.field": condition.field for n, condition in enumerate(source.where)}
    paths |= {f"passes.{n}.field": condition.field for n, condition in enumerate(source.passes)}
    known = {"subject", *contract.model_fields}
    for name, path in paths.items():
        if path is not None and path.split(".")[0] not in known:
            yield f"{field}.{name}", f"{path!r} is no field of {source.event}", next(iter(contract.model_fields))
    for name, condition in [*_named(source.where, "where"), *_named(source.passes, "passes")]:
        if (condition.one_of is None) == (condition.at_least is None):
            yield f"{field}.{name}", "must have either one_of or at_least", '{"field": "outcome", "one_of": ["passed"]}'
    if source.key is not None and "." in source.key:
        yield f"{field}.key", "must be a field of the event itself", "window_id"
    if source.ended_by and source.key is None:
        yield f"{field}.key", "must say by what an ending event is known", "window_id"
    for number, event_type in enumerate(source.ended_by):
        ending = EVIDENCE_EVENTS.get(event_type)
        if ending is None or (source.key or "").split(".")[0] not in ending.model_fields:
            yield f"{field}.ended_by.{number}", "must be an event that has the field of key", "window.ended"


def _named(conditions: Sequence[Condition], name: str) -> list[tuple[str, Condition]]:
    return [(f"{name}.{number}", condition) for number, condition in enumerate(conditions)]


def _broken_promises(policy: Policy) -> Iterator[Fault]:
    """What holds under every policy."""
    moves = {(move.from_state, move.to_state): n for n, move in enumerate(policy.moves)}
    for asset in KEEPS_DATA:
        needed = policy.needs("isolated", "sanitized", frozenset({asset, asset.split(":")[0]})) or ()
        if not any(_is_certificate(kind, each_medium=asset == "system") for _, kind in needed):
            yield (
                f"moves.{moves['isolated', 'sanitized']}.gates",
                f"{asset} needs evidence that is not waivable, comes from documents or events alone and, for a system, "
                'is wanted for each "medium"',
                "sanitization_certificate",
            )
    for way, fact in PROVED_FACTS:
        if not any(_is_proved(kind, fact) for _, kind in policy.needs(*way, frozenset({"system"})) or ()):
            yield (
                f"moves.{moves[way]}.gates",
                f"system needs {fact}, from the one source of that name, and not waivable",
                f'{{"type": "computed", "fact": "{fact}"}}',
            )


def _is_certificate(kind: EvidenceKind, *, each_medium: bool) -> bool:
    from_outside = all(source.type in ("document", "event") for source in kind.sources)
    return from_outside and not kind.waivable and (kind.each == "medium" or not each_medium)


def _is_proved(kind: EvidenceKind, fact: Fact) -> bool:
    return kind.facts == (fact,) and len(kind.sources) == 1 and not kind.waivable
