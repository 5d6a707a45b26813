"""The gate engine: what meets a kind of evidence, what does not, and what is said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from services.inventory.lifecycle.gates import AssetFacts, Decision, Evidence, Waiver, decide, owed_by_adopted
from services.inventory.policies.domain import Policy
from shared.events.inventory import LifecycleState
from tests.unit.inventory.lifecycle.cases import (
    ALL_WELL,
    DRIVE,
    FAN,
    LONE_DRIVE,
    NODE,
    NOW,
    POLICY,
    SERVER,
    SYSTEM,
    UPS,
    facts,
    serving,
)

DAY = timedelta(days=1)


def judged(
    asset: AssetFacts,
    to_state: LifecycleState,
    evidence: Mapping[str, Sequence[Evidence]] | None = None,
    waivers: Mapping[str, Sequence[Waiver]] | None = None,
    policy: Policy = POLICY,
) -> Decision:
    """How the engine judges now."""
    return decide(policy, asset, to_state, evidence or {}, waivers or {}, NOW)


def whys(decision: Decision) -> dict[str, str]:
    """Why each missing kind is missing."""
    return {one.kind: one.why for one in decision.missing}


def why(asset: AssetFacts, to_state: LifecycleState, kind: str, *given: Evidence) -> str | None:
    """Why a kind is missing before a move; None where it is met."""
    return whys(judged(asset, to_state, {kind: given})).get(kind)


def test_gate_without_evidence_says_what_is_missing_and_how_to_get_it() -> None:
    """proposed → planned without a needs assessment: refused, by the words of the policy."""
    decision = judged(facts("proposed"), "planned")
    assert not decision.allowed
    assert [one.kind for one in decision.missing] == [
        "needs_assessment",
        "budget",
        "risk_analysis",
        "capacity_forecast",
    ]
    assert [one.kind for one in decision.met] == ["owner"]
    assert decision.missing[0].title == "Needs assessment"
    assert "POST /inventory/v1/documents" in decision.missing[0].how
    assert decision.missing[0].why == "nothing was recorded"
    assert decision.policy_version == POLICY.version


@pytest.mark.parametrize(
    ("from_state", "to_state"), [(one.from_state, one.to_state) for one in POLICY.moves], ids=lambda state: str(state)
)
def test_every_gate_opens_for_what_it_asks_for(from_state: LifecycleState, to_state: LifecycleState) -> None:
    """For each move of a system, by each of the sources in turn; and what met it is named."""
    needs = [(kind_id, kind) for kind_id, kind in POLICY.needs(from_state, to_state, SYSTEM) or ()]
    evidence = {kind_id: serving(kind_id) for kind_id, kind in needs if kind.sources[0].type != "computed"}
    decision = judged(facts(from_state), to_state, evidence)
    assert decision.allowed, decision.missing
    assert {one.kind for one in decision.met} == {kind_id for kind_id, _ in needs}
    for kind_id, kind in needs:
        for number in range(sum(source.type != "computed" for source in kind.sources)):
            other = {**evidence, kind_id: serving(kind_id, number)}
            assert kind_id not in whys(judged(facts(from_state, said={}), to_state, other))


def test_way_that_is_none_says_which_there_are() -> None:
    """Not refused for evidence, but for the way."""
    decision = judged(facts("in_service"), "closed")
    [missing] = decision.missing
    assert not decision.allowed
    assert missing.why == "from in_service there is no way to closed, only to maintenance or degraded or retiring"
    assert "nothing, for that is the end" in judged(facts("closed"), "proposed").missing[0].why


def test_lighter_assets_have_lighter_gates() -> None:
    """A fan goes without papers, a drive not without its certificate, a node says that its access is revoked; whatever
    is hardware goes to a recycler, and a drive that no system's dossier tells of has one of its own."""
    last_steps: tuple[LifecycleState, ...] = ("isolated", "sanitized", "disposed", "closed")
    for from_state, to_state in pairwise(last_steps):
        assert judged(facts(from_state, FAN), to_state).allowed
        assert judged(facts(from_state, NODE), to_state).allowed
    assert list(whys(judged(facts("isolated", DRIVE, media={"d": "Drive 1"}), "sanitized"))) == [
        "sanitization_certificate",
        "sanitization_validated",
    ]
    for hardware in (UPS, SERVER, DRIVE):
        gone = judged(facts("sanitized", hardware, said={}), "disposed")
        assert list(whys(gone)) == ["custody_chain", "recycler_manifest"]
    assert list(whys(judged(facts("disposed", DRIVE, said={}), "closed"))) == ["parts_ended"]
    alone = judged(facts("disposed", LONE_DRIVE, said={}), "closed")
    assert list(whys(alone)) == ["dossier", "dossier_signatures", "parts_ended"]
    assert list(whys(judged(facts("migrated", NODE), "isolated"))) == ["access_revoked"]
    assert list(whys(judged(facts("procured", DRIVE, said={}), "staged"))) == ["serial_numbers"]


def test_certificates_are_wanted_for_every_medium_and_one_at_least() -> None:
    """Those that lack one are named; a system without media on record still needs a certificate."""
    system = facts("isolated", media={"a": "Drive A", "b": "Drive B", "c": "Tape 7"})
    first, second = serving("sanitization_certificate", covers={"a"})[0], serving("sanitization_certificate", 2)[0]
    kind = "sanitization_certificate"
    assert why(system, "sanitized", kind) == "nothing was recorded"
    assert why(system, "sanitized", kind, first) == "missing for Drive B, Tape 7"
    assert why(system, "sanitized", kind, first, replace(second, covers=frozenset({"b", "elsewhere"}))) == (
        "missing for Tape 7"
    )
    assert why(system, "sanitized", kind, first, replace(second, covers=frozenset({"b", "c"}))) is None
    assert why(facts("isolated"), "sanitized", kind) == "nothing was recorded"
    assert why(facts("isolated"), "sanitized", kind, second) is None


def test_certificate_that_came_as_a_paper_is_validated_by_another_person_than_who_recorded_it() -> None:
    """Afterwards, for the media that it is for, and for as long as that certificate stands; an event says it itself."""
    drive = facts("isolated", DRIVE, media={"a": "Drive A"})
    kinds = ("sanitization_certificate", "sanitization_validated")

    def given(paper: Mapping[str, Any], word: Mapping[str, Any]) -> str | None:
        [certificate] = serving(kinds[0], 2, covers={"a"})
        [validated] = serving(kinds[1], 2, covers={"a"})
        stated = {kinds[0]: [replace(certificate, **paper)], kinds[1]: [replace(validated, **word)]}
        return whys(judged(drive, "sanitized", stated)).get(kinds[1])

    nobody = "nobody else had recorded before what it is stated of"
    assert given({"by": "alice"}, {"by": "bruno"}) is None
    assert given({"by": "alice"}, {"by": "alice"}) == nobody
    assert given({"by": "alice"}, {"at": NOW - DAY}) == nobody
    assert given({"revoked": True}, {}) == nobody
    assert given({"covers": frozenset({"b"})}, {}) == nobody
    assert given({}, {"covers": frozenset()}) == "missing for Drive A"
    assert given({}, {"role": "operator"}) == "the policy does not take what was recorded any more"
    told = {kind: serving(kind, covers={"a"}) for kind in kinds}
    assert judged(drive, "sanitized", told).allowed


def test_server_whose_drives_nobody_has_recorded_needs_a_word_that_it_holds_none() -> None:
    """Of an approver; what was not recorded is no proof that there is nothing."""
    kind = "media_accounted"
    server = facts("isolated", SERVER, said={"media_recorded": "no drive or other medium in it is recorded"})
    assert why(server, "sanitized", kind) == "no drive or other medium in it is recorded"
    [word] = serving(kind)
    assert why(server, "sanitized", kind, replace(word, role="operator")) is not None
    assert why(server, "sanitized", kind, word) is None
    assert judged(facts("isolated", SERVER), "sanitized").allowed


def test_suite_is_wanted_for_every_interface() -> None:
    """One that passed for the archive alone leaves the workstations missing."""
    system = facts("staged", interfaces=frozenset({"archive", "workstation"}))
    archive = serving("acceptance_suite", covers={"archive"})[0]
    assert why(system, "commissioning", "acceptance_suite", archive) == "missing for workstation"
    both = replace(archive, covers=frozenset({"archive", "workstation"}))
    assert why(system, "commissioning", "acceptance_suite", both) is None


def test_two_signatures_are_of_two_people() -> None:
    """Whoever signs twice counts once, in whatever order and however often."""
    kind = "go_live_sign_offs"
    doctor, engineer = serving(kind)
    again = replace(engineer, id="again", by=doctor.by)
    asset = facts("commissioning")
    assert why(asset, "in_service", kind, doctor) == "nobody has signed as it"
    assert why(asset, "in_service", kind, doctor, again) == "radiology and it must be different people"
    assert why(asset, "in_service", kind, again, doctor, doctor, again) is not None
    decision = judged(asset, "in_service", {kind: [doctor, again, engineer]})
    assert next(one.by for one in decision.met if one.kind == kind) == (doctor.id, engineer.id)
    assert why(asset, "in_service", kind, doctor, replace(engineer, role="operator")) is not None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"revoked": True}, "what was recorded is revoked"),
        ({"valid_until": NOW}, "what was recorded was valid until 2026-03-01 12:00 UTC"),
        ({"at": NOW - 730 * DAY}, "what was recorded is older than 730 days"),
        ({"at": NOW + timedelta(minutes=6)}, "what was recorded lies in the future"),
        ({"what": "photo"}, "the policy does not take what was recorded any more"),
        ({"source": "statement", "role": "approver"}, "the policy does not take what was recorded any more"),
    ],
)
def test_evidence_that_does_not_count_says_why(change: dict[str, Any], said: str) -> None:
    """Revoked, expired, too old, from the future, or of a kind that the policy does not take."""
    [good] = serving("needs_assessment")
    assert why(facts("proposed"), "planned", "needs_assessment", replace(good, **change)) == said
    assert why(facts("proposed"), "planned", "needs_assessment", replace(good, **change), good) is None


def test_evidence_counts_to_the_last_instant() -> None:
    """And a clock that is a little ahead does no harm."""
    [good] = serving("needs_assessment")
    moment = timedelta(microseconds=1)
    for one in (
        replace(good, valid_until=NOW + moment),
        replace(good, at=NOW - 730 * DAY + moment),
        replace(good, at=NOW + timedelta(minutes=5)),
    ):
        assert why(facts("proposed"), "planned", "needs_assessment", one) is None


def test_what_was_shown_before_the_last_move_is_not_shown_again() -> None:
    """The post-change suite of the last maintenance opens no gate of this one."""
    system = facts("maintenance", state_since=NOW - DAY)
    old, new = (serving("post_change_suite", at=NOW - days * DAY)[0] for days in (2, 1))
    assert (
        why(system, "in_service", "post_change_suite", old) == "what was recorded is older than the move to maintenance"
    )
    assert why(system, "in_service", "post_change_suite", new) is None


def test_newest_policy_judges_what_was_recorded_before() -> None:
    """A stricter target takes the gate back from evidence that met the old one."""
    document = POLICY.model_dump(mode="json")
    document["evidence"]["training_target"]["sources"][0]["passes"][0]["at_least"] = 95
    stricter = Policy.model_validate(document)
    [trained] = serving("training_target")
    kind = {"training_target": [replace(trained, data={"share": 92.5})]}
    assert "training_target" not in whys(judged(facts("commissioning"), "in_service", kind))
    assert "training_target" in whys(judged(facts("commissioning"), "in_service", kind, policy=stricter))


@pytest.mark.parametrize("data", [{"share": 89.99}, {"share": "95"}, {"share": True}, {"share": None}, {}])
def test_go_live_is_refused_below_the_training_target(data: dict[str, Any]) -> None:
    """Also by an event that does not say how many are trained, or says it as no number."""
    [trained] = serving("training_target")
    assert why(facts("commissioning"), "in_service", "training_target", replace(trained, data=data)) is not None


def test_computed_evidence_says_what_inventory_has_found() -> None:
    """What it has not looked for is not met."""
    system = facts("planned", said={**ALL_WELL, "sbom": "no document of the kind sbom belongs to it"})
    assert whys(judged(system, "procured"))["sbom"] == "no document of the kind sbom belongs to it"
    assert whys(judged(facts("planned", said={}), "procured"))["sbom"] == "it is not known yet"


def test_waiver_counts_once_somebody_else_has_approved_it_and_until_it_expires() -> None:
    """It is named as what met the kind; for what is never waived it does nothing."""

    def given(kind: str, **change: Any) -> Decision:
        waiver = replace(Waiver("w", NOW + DAY, "alice", "bruno"), **change)
        return judged(facts("proposed"), "planned", None, {kind: [waiver]})

    assert [one.by for one in given("budget").met if one.kind == "budget"] == [("waiver w",)]
    assert "budget" in whys(given("budget", expires_at=NOW))
    assert "budget" in whys(given("budget", approved_by=None))
    assert "budget" in whys(given("budget", approved_by="alice"))
    waivers = {kind: [Waiver("w", NOW + DAY, "alice", "bruno")] for kind in POLICY.evidence}
    certificate = judged(facts("isolated", media={"a": "Drive A"}), "sanitized", None, waivers)
    assert list(whys(certificate)) == ["sanitization_certificate", "sanitization_validated"]
    assert "dossier_signatures" in whys(judged(facts("disposed", said={}), "closed", None, waivers))


def test_adopted_asset_owes_what_it_never_showed() -> None:
    """Of the gates that the policy names; what it shows later is no debt any more."""
    owed = {one.kind for one in owed_by_adopted(POLICY, facts("in_service"), {}, {}, NOW)}
    assert owed == {
        *("components_chosen", "mds2_form", "sbom", "support_contact", "business_associate_agreement"),
        *("conformance_matrix", "support_dates", "migration_reconciled", "training_target", "rule_of_copies"),
        *("restore_drill", "maintenance_plans", "downtime_procedure", "go_live_sign_offs"),
    } - {kind_id for kind_id, kind in POLICY.evidence.items() if kind.facts}
    shown = {"restore_drill": serving("restore_drill")}
    left = {one.kind for one in owed_by_adopted(POLICY, facts("in_service"), shown, {}, NOW)}
    assert owed - left == {"restore_drill"}
