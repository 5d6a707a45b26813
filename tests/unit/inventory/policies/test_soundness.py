"""Which policies are taken: the one that comes with Steward is, and what a group may not change is refused by name."""

from collections.abc import Callable
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from services.inventory.policies.domain import Policy
from services.inventory.policies.handlers import BUILT_IN
from services.inventory.policies.soundness import UnsoundPolicy, check_policy
from shared.events.inventory import LifecycleState

Change = Callable[[dict[str, Any]], object]


def document() -> dict[str, Any]:
    """The policy that comes with Steward, to be spoilt."""
    return BUILT_IN.policy.model_dump(mode="json")


def faults(change: Change) -> list[tuple[str, str]]:
    """The fields and rules that a changed policy breaks; each fault has an example."""
    changed = document()
    change(changed)
    with pytest.raises(UnsoundPolicy) as refused:
        check_policy(Policy.model_validate(changed))
    errors = refused.value.extra["errors"]
    assert all(error["example"] for error in errors)
    return [(error["field"], error["rule"]) for error in errors]


def move(policy: dict[str, Any], from_state: str, to_state: str) -> dict[str, Any]:
    """A move of the policy."""
    found: dict[str, Any] = next(
        one for one in policy["moves"] if (one["from_state"], one["to_state"]) == (from_state, to_state)
    )
    return found


def adding(from_state: str, to_state: str) -> Change:
    """Adds a move without a gate."""
    return lambda policy: policy["moves"].append({"from_state": from_state, "to_state": to_state, "gates": []})


def without(from_state: str, to_state: str) -> Change:
    """Takes a move away."""
    return lambda policy: policy["moves"].remove(move(policy, from_state, to_state))


def with_kind(kind: str, **changes: Any) -> Change:
    """Changes a kind of evidence."""
    return lambda policy: policy["evidence"][kind].update(changes)


def with_source(kind: str, **changes: Any) -> Change:
    """Changes the first source of a kind of evidence."""
    return lambda policy: policy["evidence"][kind]["sources"][0].update(changes)


def with_last_source(kind: str, **changes: Any) -> Change:
    """Changes the last source of a kind of evidence."""
    return lambda policy: policy["evidence"][kind]["sources"][-1].update(changes)


def test_policy_that_comes_with_steward_is_sound_and_speaks_of_every_state() -> None:
    """Version 1; each of its kinds says how people get it; read from its JSON it is the same."""
    check_policy(BUILT_IN.policy)
    assert BUILT_IN.version == BUILT_IN.policy.version == 1
    named = {state for one in BUILT_IN.policy.moves for state in (one.from_state, one.to_state)}
    assert named == set(get_args(LifecycleState))
    assert Policy.model_validate_json(BUILT_IN.policy.model_dump_json()) == BUILT_IN.policy
    needed = {kind for one in BUILT_IN.policy.moves for gate in one.gates for kind in gate.needs}
    assert needed == set(BUILT_IN.policy.evidence)


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        (adding("in_service", "closed"), "from_state", "closed is reached only in the order"),
        (adding("retiring", "sanitized"), "from_state", "sanitized is reached only in the order"),
        (adding("isolated", "disposed"), "to_state", "from isolated the only way is to the next"),
        (adding("isolated", "in_service"), "to_state", "from isolated the only way is to the next"),
        (adding("disposed", "isolated"), "to_state", "from disposed the only way is to the next"),
        (adding("isolated", "isolated"), "to_state", "from isolated the only way is to the next"),
        (adding("closed", "in_service"), "from_state", "closed is the end"),
        (adding("cancelled", "proposed"), "from_state", "cancelled is the end"),
        (adding("in_service", "cancelled"), "from_state", "only what was never in service is cancelled"),
        (adding("proposed", "planned"), "", "from proposed to planned is told twice"),
    ],
)
def test_ways_that_no_policy_may_open(change: Change, field: str, rule: str) -> None:
    """No shortcut to the end, no way back from isolation, no end but the two."""
    [(where, why), *_] = faults(change)
    assert where.startswith(f"moves.{len(BUILT_IN.policy.moves)}")
    assert where.endswith(field)
    assert rule in why


def test_states_that_nothing_reaches_or_leaves_are_named() -> None:
    """Each by itself, all in one answer."""
    unreached = faults(without("in_service", "degraded"))
    assert unreached == [("moves", "no way leads to degraded")]
    stuck = faults(without("degraded", "in_service"))
    assert stuck == [("moves", "from degraded no way leads to closed or cancelled")]
    rules = [rule for _, rule in faults(without("disposed", "closed"))]
    assert "no way leads to closed" in rules
    assert "from isolated no way leads to closed or cancelled" in rules
    assert not [rule for rule in rules if rule.startswith("from planned ")], "what is planned may be cancelled"


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        (with_kind("sanitization_certificate", waivable=True), "moves.18.gates", "system needs evidence that is not"),
        (with_kind("sanitization_certificate", each=None), "moves.18.gates", 'wanted for each "medium"'),
        (
            lambda policy: policy["evidence"]["sanitization_certificate"]["sources"].append(
                {"type": "statement", "role": "approver"}
            ),
            "moves.18.gates",
            "comes from documents or events alone",
        ),
        (lambda policy: move(policy, "isolated", "sanitized")["gates"].clear(), "moves.18.gates", "system needs"),
        (
            lambda policy: move(policy, "isolated", "sanitized")["gates"][0]["assets"].remove("component:drive"),
            "moves.18.gates",
            "component:drive needs evidence",
        ),
        (lambda policy: move(policy, "disposed", "closed")["gates"].clear(), "moves.20.gates", "dossier_signatures"),
        (lambda policy: move(policy, "sanitized", "disposed")["gates"].clear(), "moves.19.gates", "custody_complete"),
        (with_kind("dossier_signatures", waivable=True), "moves.20.gates", "not waivable"),
        (with_kind("sanitization_validated", waivable=True), "moves.18.gates", "approvers other than who recorded"),
        (
            with_kind("sanitization_validated", each=None),
            "moves.18.gates",
            "system needs evidence that is not waivable",
        ),
        (with_source("sanitization_validated", passes=[]), "moves.18.gates", "from validated media.sanitized"),
        (
            with_source("sanitization_validated", passes=[{"field": "validated", "one_of": [True]}]),
            "moves.18.gates",
            "from validated media.sanitized",
        ),
        (with_last_source("sanitization_validated", other_than=None), "moves.18.gates", "approvers other than who"),
        (with_last_source("sanitization_validated", role="operator"), "moves.18.gates", "approvers other than who"),
        (with_last_source("sanitization_validated", other_than="budget"), "moves.18.gates", "approvers other than who"),
        (
            lambda policy: policy["evidence"]["sanitization_validated"]["sources"].append(
                {"type": "document", "kinds": ["certificate"]}
            ),
            "moves.18.gates",
            "component:medium needs evidence that is not waivable and comes from validated",
        ),
        (
            lambda policy: move(policy, "disposed", "closed")["gates"][0]["assets"].remove("component:lone_medium"),
            "moves.20.gates",
            "component:lone_medium needs dossier_signatures",
        ),
        (
            lambda policy: move(policy, "sanitized", "disposed")["gates"][0]["assets"].remove("component:ups"),
            "moves.19.gates",
            "component:ups needs custody_complete",
        ),
        (
            lambda policy: move(policy, "isolated", "sanitized")["gates"][1]["assets"].remove("component:array"),
            "moves.18.gates",
            "component:array needs media_recorded",
        ),
        (with_kind("media_accounted", waivable=True), "moves.18.gates", "component:server needs media_recorded"),
        (
            lambda policy: policy["evidence"]["dossier"]["sources"].append({"type": "document", "kinds": ["report"]}),
            "moves.20.gates",
            "system needs dossier_sealed, from the one source",
        ),
        (with_kind("go_live_sign_offs", waivable=True), "evidence.go_live_sign_offs.waivable", "never waived"),
    ],
)
def test_promises_that_no_policy_may_break(change: Change, field: str, rule: str) -> None:
    """Certificates for what keeps data, which nothing replaces and another validates; hardware that is accounted for;
    two people who sign."""
    found = faults(change)
    assert any(where == field and rule in why for where, why in found), found


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        (
            lambda policy: move(policy, "proposed", "planned")["gates"][0]["needs"].append("luck"),
            "moves.0.gates.0.needs",
            "'luck' is no kind of evidence",
        ),
        (with_source("acceptance_suite", event="probe.result"), "evidence.acceptance_suite.sources.0.event", "one of"),
        (with_source("acceptance_suite", covers="rooms"), "evidence.acceptance_suite.sources.0.covers", "is no field"),
        (with_source("acceptance_suite", about="data.id"), "evidence.acceptance_suite.sources.0.about", "is no field"),
        (
            with_source("acceptance_suite", where=[{"field": "nonsense", "one_of": ["x"]}]),
            "evidence.acceptance_suite.sources.0.where.0.field",
            "is no field",
        ),
        (
            with_source("acceptance_suite", where=[{"field": "outcome"}]),
            "evidence.acceptance_suite.sources.0.where.0",
            "must have one of one_of, at_least, differs_from",
        ),
        (
            with_last_source("sanitization_validated", other_than="luck"),
            "evidence.sanitization_validated.sources",
            "'luck' is no kind of evidence",
        ),
        (with_source("open_window", key=None), "evidence.open_window.sources.0.key", "by what an ending event"),
        (with_source("open_window", key="systems.id"), "evidence.open_window.sources.0.key", "the event itself"),
        (
            with_source("open_window", ended_by=["suite.completed"]),
            "evidence.open_window.sources.0.ended_by.0",
            "has the field of key",
        ),
        (
            with_source("go_live_sign_offs", capacities=["it", "it"]),
            "evidence.go_live_sign_offs.sources",
            "each capacity stands once",
        ),
    ],
)
def test_what_could_never_be_met_is_refused(change: Change, field: str, rule: str) -> None:
    """A kind that nobody describes, an event that nobody hears, a field that no event has."""
    found = faults(change)
    assert any(where == field and rule in why for where, why in found), found


@pytest.mark.parametrize(
    "change",
    [
        lambda policy: policy["moves"][0].update(to_state="sold"),
        lambda policy: policy.update(colour="blue"),
        lambda policy: policy.update(version=0),
        lambda policy: policy.update(max_waiver_days=10_000),
        with_kind("budget", sources=[]),
        with_source("budget", kinds=["love letter"]),
        with_source("budget", type="hearsay"),
        lambda policy: policy["evidence"].update({"Bad Name": policy["evidence"]["budget"]}),
        lambda policy: policy["moves"][0]["gates"][0].update(assets=["everything"]),
    ],
)
def test_documents_that_are_no_policy_are_refused(change: Change) -> None:
    """By their form already: unknown states, fields, classes, kinds of document, sources."""
    changed = document()
    change(changed)
    with pytest.raises(ValidationError):
        Policy.model_validate(changed)


def test_group_may_ask_for_more_and_waive_less() -> None:
    """Its own kinds, other validities, gates for more assets: all that keeps the promises is taken."""

    def stricter(policy: dict[str, Any]) -> None:
        policy["version"] = 2
        policy["evidence"]["ethics_vote"] = {
            "title": "Vote of the ethics committee",
            "how": "Upload it.",
            "sources": [{"type": "document", "kinds": ["report"]}],
            "validity_days": 30,
            "waivable": False,
        }
        move(policy, "proposed", "planned")["gates"][0]["needs"].append("ethics_vote")
        move(policy, "in_service", "degraded")["gates"] = [{"assets": ["node:archive"], "needs": ["approved_work"]}]

    changed = document()
    stricter(changed)
    check_policy(Policy.model_validate(changed))


def test_no_policy_takes_things_from_what_depends_on_them() -> None:
    """Neither by a waiver, nor by another's word, nor by a gate that does not ask."""
    assert len(faults(with_kind("no_dependents", waivable=True))) > 1
    stated = {"type": "statement", "role": "approver"}
    assert len(faults(lambda policy: policy["evidence"]["no_dependents"]["sources"].append(stated))) > 1
    unasked = faults(lambda policy: move(policy, "migrated", "isolated")["gates"].pop())
    rule = "needs no_dependents, from the one source of that name, and not waivable"
    assert [told for _, told in unasked] == [f"{asset} {rule}" for asset in ("system", "node", "component")]
