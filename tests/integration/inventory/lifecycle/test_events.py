"""Gates that events close by themselves, and events that people name as evidence."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.inventory.evidence.handlers import take_event
from shared.events import Event
from shared.events.backup import BackupVerified, MigrationVerified, RestoreDrilled
from shared.events.inventory import TrainingCompleted
from shared.events.maintenance import ChangeTransitioned, SystemRef
from shared.transactions import begin, new_id
from tests.harness import Harness, Voice
from tests.integration.conftest import Speak
from tests.integration.inventory.components.parts import install
from tests.integration.inventory.lifecycle.steps import (
    DIGEST,
    ask_move,
    ended,
    gate,
    give_evidence,
    revoke,
    sanitized,
    started,
    suite,
    until_evidence,
    why,
    window,
)
from tests.integration.inventory.requests import ASSETS, NOBODY, move, register_node, register_system
from tests.news import until

NOW = datetime.now(UTC)


@pytest.fixture
async def probes(speak: Speak) -> AsyncIterator[Voice]:
    """The voice of probes."""
    async with speak("probes") as voice:
        yield voice


@pytest.fixture
async def backup(speak: Speak) -> AsyncIterator[Voice]:
    """The voice of backup."""
    async with speak("backup") as voice:
        yield voice


@pytest.fixture
async def maintenance(speak: Speak) -> AsyncIterator[Voice]:
    """The voice of maintenance."""
    async with speak("maintenance") as voice:
        yield voice


async def heard(steward: Harness, event_type: str, count: int = 1) -> None:
    """Returns when inventory has kept so many events of a type."""
    query = "SELECT count(*) >= $2 FROM event_facts WHERE type = $1"
    await until(steward.pools["inventory"], query, event_type, count)


async def test_suite_closes_the_gate_of_the_interfaces_that_passed(steward: Harness, probes: Voice) -> None:
    """One after the other, by itself; one that fails later takes back what it speaks of, and a later pass gives it
    again. What the gate names as its evidence leads to the event."""
    system = await register_system(steward, state="proposed")
    for role, port in (("archive", 104), ("workstation", 105)):
        await register_node(steward, system, role=role, port=port)
    system = await move(steward, system, "planned", "procured", "staged")
    kind = "acceptance_suite"
    assert await why(steward, system, "commissioning", kind) == "nothing was recorded"

    async def say(outcome: Any, **interfaces: str) -> None:
        await probes.say(suite("acceptance", outcome, **interfaces), subject=system["id"], site_id="north")

    await say("passed", archive="passed", workstation="not_run")
    recorded = await until_evidence(steward, system, kind)
    assert (recorded.actor, recorded.data.covers, recorded.causation_id) == (
        "service:probes",
        ["archive"],
        recorded.data.reference,
    )
    assert await why(steward, system, "commissioning", kind) == "missing for workstation"
    await say("passed", workstation="passed")
    await steward.heard.until("evidence.changed", lambda event: event.data.covers == ["workstation"])
    judged = {one["kind"]: one["by"] for one in (await gate(steward, system, "commissioning"))["met"]}
    assert len(judged[kind]) == 2
    await say("failed", workstation="failed")
    await until_evidence(steward, system, kind, "revoked")
    assert await why(steward, system, "commissioning", kind) == "missing for workstation"
    await say("passed", archive="passed", workstation="passed")
    await steward.heard.until("evidence.changed", lambda event: event.data.covers == ["archive", "workstation"])
    assert await why(steward, system, "commissioning", kind) is None
    await probes.say(suite("staging"), subject=system["id"], site_id="north")
    await heard(steward, "suite.completed", 5)
    shown = (await steward.admin.get(f"{ASSETS}/{system['id']}/evidence")).json()["items"]
    assert [one["reference"] is not None for one in shown if one["kind"] == kind] == [True] * 3


async def test_gate_of_maintenance_is_open_while_the_window_is(steward: Harness, maintenance: Voice) -> None:
    """With an approved change, and only until the window ends; nothing moves by itself."""
    system = await register_system(steward)
    other = await register_system(steward, name="Other")
    told = window(system)
    change = ChangeTransitioned(
        change_id=new_id(),
        title="Archive upgrade",
        kind="normal",
        from_state="pending_approval",
        to_state="approved",
        systems=[SystemRef(id=system["id"], name=system["name"])],
        plan_sha256=DIGEST,
        window_id=told["window_id"],
        reason="agreed",
    )
    assert (await ask_move(steward, system, "maintenance")).status_code == 409
    await maintenance.say(change, started(told), subject="north", site_id="north")
    for kind in ("approved_work", "open_window"):
        await until_evidence(steward, system, kind)
    assert (await gate(steward, system, "maintenance"))["allowed"]
    assert not (await gate(steward, other, "maintenance"))["met"]
    assert (await steward.admin.get(f"{ASSETS}/{system['id']}")).json()["state"] == "in_service"
    await maintenance.say(ended(told), subject="north", site_id="north")
    await until_evidence(steward, system, "open_window", "revoked")
    refused = await ask_move(steward, system, "maintenance")
    assert [one["kind"] for one in refused.json()["missing"]] == ["open_window"]
    await maintenance.say(change.model_copy(update={"to_state": "rolled_back"}), subject="north", site_id="north")
    await until_evidence(steward, system, "approved_work", "revoked")


async def test_window_that_nobody_ended_closes_the_gate_at_its_end(steward: Harness, maintenance: Voice) -> None:
    """Its end stands in the evidence from the beginning."""
    system = await register_system(steward)
    told = window(system, hours=-0.001)
    await maintenance.say(started(told), subject="north", site_id="north")
    await until_evidence(steward, system, "open_window")
    lacking = await why(steward, system, "maintenance", "open_window")
    assert lacking is not None
    assert lacking.startswith("what was recorded was valid until")


async def test_end_of_a_window_that_is_heard_first_keeps_the_gate_closed(steward: Harness, maintenance: Voice) -> None:
    """The two topics are read side by side: whatever comes first, a window that is over opens nothing."""
    system = await register_system(steward)
    told = window(system)
    await maintenance.say(ended(told), subject="north", site_id="north")
    await heard(steward, "window.ended")
    await maintenance.say(started(told), subject="north", site_id="north")
    await heard(steward, "window.started")
    assert await why(steward, system, "maintenance", "open_window") == "nothing was recorded"
    begun = await steward.heard.until("window.started")
    named = await give_evidence(steward, system, kind="open_window", event_id=begun.id)
    assert (named.status_code, "has ended" in named.json()["detail"]) == (409, True)


async def test_maintenance_ends_with_a_suite_that_ran_after_the_change(steward: Harness, probes: Voice) -> None:
    """The one of before opens nothing, and another system's neither."""
    system = await register_system(steward)
    await probes.say(suite("post-change"), subject=system["id"], site_id="north")
    await until_evidence(steward, system, "post_change_suite")
    system = await move(steward, system, "maintenance")
    lacking = await why(steward, system, "in_service", "post_change_suite")
    assert lacking == "what was recorded is older than the move to maintenance"
    await probes.say(suite("post-change"), subject=system["id"], site_id="north")
    query = "SELECT count(*) = 2 FROM evidence WHERE asset_id = $1 AND kind = 'post_change_suite'"
    await until(steward.pools["inventory"], query, system["id"])
    assert (await ask_move(steward, system, "in_service")).status_code == 200


VERIFIED = BackupVerified(
    verification_id=new_id(),
    set_id=new_id(),
    scope="archive",
    snapshot_id="4bf92f35",
    level="L4",
    outcome="passed",
    detail="",
    verified_at=NOW,
    data_through=NOW,
    rule="met",
    rule_reasons=[],
    report=DIGEST,
)
DRILLED = RestoreDrilled(
    drill_id=new_id(),
    scenario="fire",
    scope="database",
    snapshot_id="4bf92f35",
    outcome="passed",
    detail="",
    rto_seconds=60,
    took_seconds=30,
    rpo_seconds=60,
    lost_seconds=0,
    drilled_at=NOW,
    report=DIGEST,
)
TRAINED = TrainingCompleted(
    training_id=new_id(),
    course="Archive One",
    person_id=new_id(),
    result="passed",
    completed_at=NOW,
    valid_until=None,
    trained=8,
    needed=10,
    share=80.0,
)


async def test_go_live_is_met_by_backups_drills_and_training(steward: Harness, backup: Voice, speak: Speak) -> None:
    """Each by its own event; a training below the target and a backup that breaks the rule take the gate back."""
    system = await register_system(steward)

    async def owed() -> set[str]:
        shown = (await steward.admin.get(f"{ASSETS}/{system['id']}/gates")).json()
        return {one["kind"] for one in shown["debt"]}

    migrated = MigrationVerified(
        migration_id=new_id(),
        destination_system_id=system["id"],
        outcome="reconciled",
        detail="",
        studies=10,
        matched=10,
        exceptions=0,
        exceptions_signed_by=None,
        verified_at=NOW,
        manifest=DIGEST,
    )
    old = await register_system(steward, name="Old archive")
    kinds = {"rule_of_copies", "restore_drill", "migration_reconciled", "training_target"}
    assert kinds <= await owed()
    await backup.say(VERIFIED, DRILLED, subject=system["id"], site_id="north")
    await backup.say(migrated, subject=old["id"], site_id="north")
    for kind in ("rule_of_copies", "restore_drill", "migration_reconciled", "retrievable_copy"):
        await until_evidence(steward, system, kind)
    await until_evidence(steward, old, "migration_manifest")
    async with speak("compliance") as voice:
        await voice.say(TRAINED, subject=system["id"], site_id="north")
        await heard(steward, "training.completed")
        assert await owed() & kinds == {"training_target"}
        enough = TRAINED.model_copy(update={"trained": 9, "share": 90.0})
        await voice.say(enough, subject=system["id"], site_id="north")
        await until_evidence(steward, system, "training_target")
        assert not await owed() & kinds
    worse = VERIFIED.model_copy(update={"rule": "unmet", "rule_reasons": ["no copy is off site"]})
    await backup.say(worse, subject=system["id"], site_id="north")
    await until_evidence(steward, system, "rule_of_copies", "revoked")
    assert await owed() & kinds == {"rule_of_copies"}


async def test_certificates_of_media_add_up_to_the_systems(steward: Harness, backup: Voice) -> None:
    """Each serves the medium itself and, for it, the system; who has verified one does not validate it."""
    system = await register_system(steward)
    first, spare = [
        await install(steward, "drive", system_id=system["id"], name=name, manufacturer="Seaquest", serial=name)
        for name in ("Drive 1", "Spare 2")
    ]
    system = await move(steward, system, "retiring", "migrated", "isolated")
    kind = "sanitization_certificate"
    await backup.say(sanitized(system, validated=False), subject=spare["id"], site_id="north")
    await backup.say(sanitized(system), subject=first["id"], site_id="north")
    recorded = await until_evidence(steward, system, kind)
    assert recorded.data.covers == [first["id"]]
    await until_evidence(steward, first, kind)
    assert await why(steward, system, "sanitized", kind) == "missing for Spare 2"
    await backup.say(sanitized(system, by="alice"), subject=spare["id"], site_id="north")
    await until_evidence(steward, spare, kind)
    assert await why(steward, system, "sanitized", "sanitization_validated") == "missing for Spare 2"
    await backup.say(sanitized(system), subject=spare["id"], site_id="north")
    await until_evidence(steward, spare, "sanitization_validated")
    assert (await ask_move(steward, system, "sanitized")).status_code == 200
    first = await move(steward, first, "retiring", "migrated", "isolated")
    assert (await ask_move(steward, first, "sanitized")).status_code == 200


async def test_events_of_other_assets_and_sites_are_no_evidence(steward: Harness, probes: Voice) -> None:
    """By themselves they serve nobody else; named by a person, another asset's is refused, another site's unknown."""
    system, other = await register_system(steward), await register_system(steward, name="Other")
    far = await register_system(steward, site_id="south", name="Far")
    await probes.say(suite("acceptance"), subject=other["id"], site_id="north")
    await probes.say(suite("acceptance"), subject=far["id"], site_id="south")
    # A producer that names another site than the asset's is not believed.
    await probes.say(suite("acceptance"), subject=system["id"], site_id="south")
    await probes.say(suite("acceptance"), subject=NOBODY, site_id="north")
    await heard(steward, "suite.completed", 4)
    assert (await steward.admin.get(f"{ASSETS}/{system['id']}/evidence")).json()["items"] == []

    async def name(subject: str) -> Any:
        event = await steward.heard.until("suite.completed", lambda one: one.subject == subject)
        return await give_evidence(steward, system, kind="acceptance_suite", event_id=event.id)

    answers = {who: await name(subject) for who, subject in (("other", other["id"]), ("far", far["id"]))}
    unknown = await give_evidence(steward, system, kind="acceptance_suite", event_id="0199c400-none")
    assert (answers["other"].status_code, "is not about" in answers["other"].json()["detail"]) == (409, True)
    assert {answers["far"].status_code, (await name(system["id"])).status_code, unknown.status_code} == {404}


async def test_event_serves_once_and_not_again_after_its_revocation(steward: Harness, probes: Voice) -> None:
    """Neither when it is delivered again nor when somebody names it."""
    system = await register_system(steward)
    await probes.say(suite("post-change"), subject=system["id"], site_id="north")
    recorded = await until_evidence(steward, system, "post_change_suite")
    again = await give_evidence(steward, system, kind="post_change_suite", event_id=recorded.data.reference)
    assert again.status_code == 409
    assert (await revoke(steward, recorded.data.evidence_id)).status_code == 200
    again = await give_evidence(steward, system, kind="post_change_suite", event_id=recorded.data.reference)
    assert (again.status_code, "revoked" in again.json()["detail"]) == (409, True)


async def test_replayed_event_changes_nothing(steward: Harness, probes: Voice) -> None:
    """The same message once more, behind the consumer's guard: no second evidence, none that comes back to life."""
    system = await register_system(steward)
    await probes.say(suite("post-change"), subject=system["id"], site_id="north")
    recorded = await until_evidence(steward, system, "post_change_suite")
    event: Event[Any] = await steward.heard.until("suite.completed")
    assert (await revoke(steward, recorded.data.evidence_id)).status_code == 200
    before = (await steward.admin.get(f"{ASSETS}/{system['id']}/evidence")).json()
    async with begin(steward.pools["inventory"], "inventory") as tx:
        await take_event(tx.caused_by(event), event)
    assert (await steward.admin.get(f"{ASSETS}/{system['id']}/evidence")).json() == before


async def test_event_can_be_named_for_a_kind_that_came_later(steward: Harness, probes: Voice) -> None:
    """A group's new policy asks for a suite that has run before: its event is known, and a person names it."""
    system = await register_system(steward)
    await probes.say(suite("performance"), subject=system["id"], site_id="north")
    await heard(steward, "suite.completed")
    event = await steward.heard.until("suite.completed")
    policy = (await steward.admin.get("/inventory/v1/policies/1")).json()["policy"] | {"version": 2}
    policy["evidence"]["speed"] = {
        "title": "Speed",
        "how": "Run the suite performance.",
        "sources": [
            {
                "type": "event",
                "event": "suite.completed",
                "where": [{"field": "suite_id", "one_of": ["performance"]}],
                "passes": [{"field": "outcome", "one_of": ["passed"]}],
            }
        ],
    }
    degraded = next(one for one in policy["moves"] if one["to_state"] == "degraded")
    degraded["gates"] = [{"assets": ["system"], "needs": ["speed"]}]
    published = await steward.admin.post("/inventory/v1/policies", json=policy)
    assert published.status_code == 201, published.text
    assert await why(steward, system, "degraded", "speed") == "nothing was recorded"
    named = await give_evidence(steward, system, kind="speed", event_id=event.id)
    assert (named.status_code, named.json()["policy_version"]) == (201, 2)
    assert (await ask_move(steward, system, "degraded")).status_code == 200


async def test_old_event_is_as_old_as_it_is(steward: Harness, probes: Voice) -> None:
    """Its validity runs from when it happened, not from when it was heard."""
    system = await register_system(steward, state="proposed")
    system = await move(steward, system, "planned", "procured", "staged")
    long_ago = datetime.now(UTC) - timedelta(days=181)
    await probes.say(suite("acceptance"), subject=system["id"], site_id="north", now=long_ago)
    await until_evidence(steward, system, "acceptance_suite")
    lacking = await why(steward, system, "commissioning", "acceptance_suite")
    assert lacking == "what was recorded is older than 180 days"
