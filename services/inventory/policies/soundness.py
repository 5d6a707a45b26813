"""Which policies make sense, and which promises no policy may break.

Whatever a group decides: an asset reaches ``closed`` only by ``isolated``, ``sanitized`` and ``disposed``; from there
on there is only forward; nothing is taken from what depends on it; what keeps data is sanitized under certificates that
nothing replaces, and that another person has validated; hardware has its chain of custody and stands on a recycler's
manifest; and two people sign the dossier of a system, and of a medium that belongs to none.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import get_args

from services.inventory.custody.disposal import HARDWARE
from services.inventory.policies.domain import (
    BEFORE_SERVICE,
    Condition,
    EventSource,
    EvidenceKind,
    Fact,
    Policy,
    Source,
)
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
Way = tuple[LifecycleState, LifecycleState]
SANITIZED: Way = ("isolated", "sanitized")
DISPOSED: Way = ("sanitized", "disposed")
CLOSED: Way = ("disposed", "closed")

RULES_OF_CONDITION = ("one_of", "at_least", "differs_from")
KEEPS_DATA = ("system", "component:drive", "component:medium")
HOLDS_MEDIA = ("component:server", "component:array")
TAKEN_AWAY = ("system", "component:medium", *sorted(f"component:{one}" for one in HARDWARE))
HAS_A_DOSSIER = ("system", "component:lone_medium")
PROVED_FACTS: tuple[tuple[Way, Fact, tuple[str, ...]], ...] = (
    (DISPOSED, "custody_complete", TAKEN_AWAY),
    (DISPOSED, "on_manifest", TAKEN_AWAY),
    (CLOSED, "dossier_sealed", HAS_A_DOSSIER),
    (CLOSED, "dossier_signatures", HAS_A_DOSSIER),
)
"""What assets of these classes show by their own records, and nothing else replaces."""

GONE: tuple[LifecycleState, ...] = ("isolated", "cancelled")
"""The states in which others can no longer rely on an asset."""

RELIED_ON = ("system", "node", "component")

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
        if kind.statement and kind.statement.other_than not in (None, *policy.evidence):
            yield f"{field}.sources", f"{kind.statement.other_than!r} is no kind of evidence of this policy", kind_id
        for number, source in enumerate(kind.sources):
            if isinstance(source, EventSource):
                yield from _wrong_event(source, f"{field}.sources.{number}")


def _wrong_event(source: EventSource, field: str) -> Iterator[Fault]:
    contract = EVIDENCE_EVENTS.get(source.event)
    if contract is None:
        yield f"{field}.event", f"must be one of {', '.join(EVIDENCE_EVENTS)}", "suite.completed"
        return
    paths = {"about": source.about, "covers": source.covers, "until": source.until, "key": source.key}
    paths |= {f"{name}.field": one.field for name, one in _conditions(source)}
    paths |= {f"{name}.differs_from": one.differs_from for name, one in _conditions(source)}
    known = {"subject", *contract.model_fields}
    for name, path in paths.items():
        if path is not None and path.split(".")[0] not in known:
            yield f"{field}.{name}", f"{path!r} is no field of {source.event}", next(iter(contract.model_fields))
    for name, condition in _conditions(source):
        if [condition.one_of, condition.at_least, condition.differs_from].count(None) != len(RULES_OF_CONDITION) - 1:
            rule = f"must have one of {', '.join(RULES_OF_CONDITION)}"
            yield f"{field}.{name}", rule, '{"field": "outcome", "one_of": ["passed"]}'
    if source.key is not None and "." in source.key:
        yield f"{field}.key", "must be a field of the event itself", "window_id"
    if source.ended_by and source.key is None:
        yield f"{field}.key", "must say by what an ending event is known", "window_id"
    for number, event_type in enumerate(source.ended_by):
        ending = EVIDENCE_EVENTS.get(event_type)
        if ending is None or (source.key or "").split(".")[0] not in ending.model_fields:
            yield f"{field}.ended_by.{number}", "must be an event that has the field of key", "window.ended"


def _conditions(source: EventSource) -> list[tuple[str, Condition]]:
    named = {"where": source.where, "passes": source.passes}
    return [(f"{name}.{number}", one) for name, conditions in named.items() for number, one in enumerate(conditions)]


def _broken_promises(policy: Policy) -> Iterator[Fault]:
    """What holds under every policy."""
    yield from _unclean(policy)
    yield from _pulled_away(policy)
    for way, fact, assets in PROVED_FACTS:
        for asset in assets:
            if not any(_is_proved(kind, fact) for _, kind in _needs(policy, way, asset)):
                yield (
                    _gates_of(policy, way),
                    f"{asset} needs {fact}, from the one source of that name, and not waivable",
                    f'{{"type": "computed", "fact": "{fact}"}}',
                )


def _pulled_away(policy: Policy) -> Iterator[Fault]:
    """What could be taken from what depends on it."""
    for number, move in enumerate(policy.moves):
        for asset in RELIED_ON if move.to_state in GONE else ():
            needed = _needs(policy, (move.from_state, move.to_state), asset)
            if not any(_is_proved(kind, "no_dependents") for _, kind in needed):
                rule = f"{asset} needs no_dependents, from the one source of that name, and not waivable"
                yield f"moves.{number}.gates", rule, '{"type": "computed", "fact": "no_dependents"}'


def _unclean(policy: Policy) -> Iterator[Fault]:
    """What would be taken for clean without a certificate, or under one that only one person has seen."""
    field = _gates_of(policy, SANITIZED)
    for asset in KEEPS_DATA:
        needed, each_medium = _needs(policy, SANITIZED, asset), asset == "system"
        certificates = {kind_id for kind_id, kind in needed if _is_certificate(kind, each_medium=each_medium)}
        if not certificates:
            yield (
                field,
                f"{asset} needs evidence that is not waivable, comes from documents or events alone and, for a system, "
                'is wanted for each "medium"',
                "sanitization_certificate",
            )
        if not any(_is_validation(kind, certificates, each_medium=each_medium) for _, kind in needed):
            yield (
                field,
                f"{asset} needs evidence that is not waivable and comes from validated media.sanitized or from "
                "approvers other than who recorded its certificate alone",
                "sanitization_validated",
            )
    for asset in HOLDS_MEDIA:
        if not any(_is_account_of_media(kind) for _, kind in _needs(policy, SANITIZED, asset)):
            yield field, f"{asset} needs media_recorded, or an approver's word, and not waivable", "media_accounted"


def _needs(policy: Policy, way: Way, asset: str) -> Sequence[tuple[str, EvidenceKind]]:
    return policy.needs(*way, frozenset({asset, asset.split(":")[0]})) or ()


def _gates_of(policy: Policy, way: Way) -> str:
    number = next(n for n, move in enumerate(policy.moves) if (move.from_state, move.to_state) == way)
    return f"moves.{number}.gates"


def _is_certificate(kind: EvidenceKind, *, each_medium: bool) -> bool:
    from_outside = all(source.type in ("document", "event") for source in kind.sources)
    return from_outside and not kind.waivable and (kind.each == "medium" or not each_medium)


def _is_validation(kind: EvidenceKind, certificates: Set[str], *, each_medium: bool) -> bool:
    by_others = all(_is_by_another(source, certificates) for source in kind.sources)
    return by_others and not kind.waivable and (kind.each == "medium" or not each_medium)


def _is_by_another(source: Source, certificates: Set[str]) -> bool:
    if source.type == "statement":
        return source.role == "approver" and source.other_than in certificates
    if not isinstance(source, EventSource) or source.event != MediaSanitized.event_type or source.covers != "subject":
        return False
    is_validated = any(one.field == "validated" and one.one_of == [True] for one in source.passes)
    by_another = any((one.field, one.differs_from) == ("validated_by", "verified_by") for one in source.passes)
    return is_validated and by_another


def _is_account_of_media(kind: EvidenceKind) -> bool:
    known = [source for source in kind.sources if source.type == "computed" and source.fact == "media_recorded"]
    stated = [source for source in kind.sources if source.type == "statement" and source.role == "approver"]
    return len(known) + len(stated) == len(kind.sources) and not kind.waivable


def _is_proved(kind: EvidenceKind, fact: Fact) -> bool:
    return kind.facts == (fact,) and len(kind.sources) == 1 and not kind.waivable
