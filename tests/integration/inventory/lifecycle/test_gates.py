"""The gates over HTTP: what a move lacks, what is kept of each attempt, and what an adopted system owes."""

import asyncio
from typing import Any

import pytest

from tests.harness import Harness
from tests.integration.inventory.components.parts import change, install
from tests.integration.inventory.documents.files import uploaded
from tests.integration.inventory.earning import earn, name_document, say, validate
from tests.integration.inventory.lifecycle.steps import ask_move, gate, give_evidence, revoke, until_evidence, why
from tests.integration.inventory.requests import ASSETS, PEOPLE, PERSON, move, post, register_node, register_system
from tests.unit.inventory.software.boms import LOG4J, mds2_workbook, sbom

VALIDATED, ACCOUNTED = "sanitization_validated", "media_accounted"
PARTS: dict[str, Any] = {"manufacturer": "Seaquest", "serial": "SQ-00001"}


@pytest.mark.seed("1")
async def test_nothing_is_planned_without_a_needs_assessment(steward: Harness) -> None:
    """Refused with 409 and how to get it, until the document belongs to the system and is named."""
    system = await register_system(steward, state="proposed")
    await post(steward, PEOPLE, PERSON | {"roles": ["clinical_owner"]})
    for kind, document in (("budget", "report"), ("risk_analysis", "risk_analysis"), ("capacity_forecast", "report")):
        await name_document(steward, system, kind, document)
    refused = await ask_move(steward, system, "planned")
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    [missing] = refused.json()["missing"]
    assert (missing["kind"], missing["title"], missing["why"]) == (
        "needs_assessment",
        "Needs assessment",
        "nothing was recorded",
    )
    assert "/inventory/v1/documents" in missing["how"]
    assert "Needs assessment (nothing was recorded)" in refused.json()["detail"]
    evidence = await name_document(steward, system, "needs_assessment", "needs_assessment")
    moved = await ask_move(steward, system, "planned")
    assert (moved.status_code, moved.json()["state"]) == (200, "planned")
    event = await steward.heard.until("asset.transitioned")
    assert (event.data.policy_version, evidence["id"] in event.data.evidence) == (1, True)
    decisions = (await steward.admin.get(f"{ASSETS}/{system['id']}/decisions")).json()["items"]
    assert event.data.decision_id == decisions[-1]["id"]
    recorded = await until_evidence(steward, system, "needs_assessment")
    assert (recorded.site_id, recorded.actor, recorded.data.sha256) == ("north", "admin", evidence["sha256"])


@pytest.mark.seed("2")
async def test_nothing_is_procured_without_its_components_mds2_form_and_sbom(steward: Harness) -> None:
    """Each is found by inventory itself, once it is attached; the gate says of each that it is not there."""
    system = await move(steward, await register_system(steward, state="proposed"), "planned")
    attached = ("components_chosen", "mds2_form", "sbom")
    whys = [await why(steward, system, "procured", kind) for kind in attached]
    assert whys == [
        "no hardware component is recorded",
        "no document of the kind mds2 belongs to it",
        "no document of the kind sbom belongs to it",
    ]
    await install(steward, "server", system_id=system["id"], **PARTS)
    of_it: dict[str, Any] = {"asset_ids": [system["id"]]}
    await uploaded(steward.admin, mds2_workbook(), "mds2.xlsx", kind="mds2", **of_it)
    assert await why(steward, system, "procured", "sbom") is not None
    await uploaded(steward.admin, sbom(LOG4J), "bom.cdx.json", kind="sbom", **of_it)
    assert [await why(steward, system, "procured", kind) for kind in attached] == [None] * 3
    met = {one["kind"]: one["by"] for one in (await gate(steward, system, "procured"))["met"]}
    assert met == {kind: ["computed"] for kind in attached}
    refused = await ask_move(steward, system, "procured")
    assert (refused.status_code, {one["kind"] for one in refused.json()["missing"]} & set(attached)) == (409, set())
    assert (await move(steward, system, "procured"))["state"] == "procured"


async def test_every_attempt_is_kept_with_policy_and_evidence(steward: Harness) -> None:
    """Refused ones too, though they changed nothing; a move names its decision."""
    system = await register_system(steward)
    assert (await ask_move(steward, system, "retiring")).status_code == 409
    assert (await ask_move(steward, system, "closed")).status_code == 409
    await earn(steward, system, "retiring")
    assert (await ask_move(steward, system, "retiring")).status_code == 200
    url = f"{ASSETS}/{system['id']}"
    refused, impossible, allowed = (await steward.admin.get(f"{url}/decisions")).json()["items"]
    assert [one["allowed"] for one in (refused, impossible, allowed)] == [False, False, True]
    assert {one["kind"] for one in refused["missing"]} == {"replacement_plan", "retention_check", "retrievable_copy"}
    assert [one["kind"] for one in impossible["missing"]] == ["move"]
    assert (refused["actor"], refused["reason"], refused["policy_version"]) == ("admin", "time for retiring", 1)
    recorded = {one["id"] for one in (await steward.admin.get(f"{url}/evidence")).json()["items"]}
    assert {by for one in allowed["met"] for by in one["by"]} == recorded
    [made] = (await steward.admin.get(f"{url}/transitions")).json()["items"]
    assert made["decision_id"] == allowed["id"]


async def test_refused_move_with_its_key_may_be_made_later(steward: Harness) -> None:
    """The key stands for a move that was made; a refusal is no such thing."""
    system = await register_system(steward)
    url = f"{ASSETS}/{system['id']}/transitions"
    sent: dict[str, Any] = {
        "json": {"to": "retiring", "reason": "old"},
        "headers": {"If-Match": '"1"', "Idempotency-Key": "one"},
    }
    client = steward.admin
    assert (await client.post(url, **sent)).status_code == 409
    await earn(steward, system, "retiring")
    assert [(await client.post(url, **sent)).status_code for _ in range(2)] == [200, 200]
    decisions = (await client.get(f"{ASSETS}/{system['id']}/decisions")).json()["items"]
    assert [one["allowed"] for one in decisions] == [False, True]


async def test_adopted_system_owes_what_it_never_showed(steward: Harness) -> None:
    """It is in service, is known as adopted, and its debt shrinks with what is shown later; one that came all the
    way owes nothing."""
    system = await register_system(steward)
    url = f"{ASSETS}/{system['id']}/gates"
    shown = (await steward.admin.get(url)).json()
    assert (shown["state"], shown["adopted"], shown["policy_version"]) == ("in_service", True, 1)
    assert [one["to_state"] for one in shown["next"]] == ["maintenance", "degraded", "retiring"]
    owed = {one["kind"] for one in shown["debt"]}
    assert {"restore_drill", "sbom", "downtime_procedure", "go_live_sign_offs"} <= owed
    await name_document(steward, system, "downtime_procedure", "manual")
    left = {one["kind"] for one in (await steward.admin.get(url)).json()["debt"]}
    assert owed - left == {"downtime_procedure"}
    wished = await register_system(steward, name="Wished for", state="proposed")
    shown = (await steward.admin.get(f"{ASSETS}/{wished['id']}/gates")).json()
    assert (shown["adopted"], shown["debt"]) == (False, [])


async def test_system_goes_from_its_proposal_to_clean_media_and_earns_each_step(steward: Harness) -> None:
    """Over the API alone: computed facts are made true, documents and words given, its node isolated before it."""
    system = await register_system(steward, state="proposed")
    await post(steward, PEOPLE, PERSON | {"roles": ["clinical_owner"]})
    server = await install(steward, "server", system_id=system["id"], **PARTS)
    drive = await install(steward, "drive", installed_in=server["id"], manufacturer="Seaquest", serial="SQ-00002")
    node = await register_node(steward, system)
    of_it: dict[str, Any] = {"asset_ids": [system["id"]]}
    await uploaded(steward.admin, mds2_workbook(), "mds2.xlsx", kind="mds2", **of_it)
    await uploaded(steward.admin, sbom(LOG4J), "bom.cdx.json", kind="sbom", **of_it)
    states = ("planned", "procured", "staged", "commissioning", "in_service", "retiring", "migrated")
    system = await move(steward, system, *states)
    await move(steward, node, "retiring", "migrated", "isolated")
    system = await move(steward, system, "isolated")
    kind = "sanitization_certificate"
    assert await why(steward, system, "sanitized", kind) == "nothing was recorded"
    certificate = await name_document(steward, system, kind, "certificate")
    assert certificate["covers"] == [drive["id"]], "the one medium that it has"
    system = await move(steward, system, "sanitized")
    decisions = (await steward.admin.get(f"{ASSETS}/{system['id']}/decisions")).json()["items"]
    assert [one["to_state"] for one in decisions] == [*states, "isolated", "sanitized"]
    assert all(one["allowed"] for one in decisions)


async def test_revocation_closes_the_gate_and_what_has_moved_stays(steward: Harness) -> None:
    """Evidence is never deleted: it shows who took it back and why; twice is 409, an old version 412."""
    system = await register_system(steward)
    await earn(steward, system, "retiring")
    plan = await name_document(steward, system, "replacement_plan", "report")
    kinds = (await steward.admin.get(f"{ASSETS}/{system['id']}/evidence")).json()["items"]
    for one in kinds:
        if one["kind"] == "replacement_plan":
            assert (await revoke(steward, one["id"])).status_code == 200
    assert await why(steward, system, "retiring", "replacement_plan") == "what was recorded is revoked"
    assert (await ask_move(steward, system, "retiring")).status_code == 409
    assert [(await revoke(steward, plan["id"], version)).status_code for version in (1, 2)] == [412, 409]
    shown = (await steward.admin.get(f"/inventory/v1/evidence/{plan['id']}")).json()
    assert (shown["revoked_by"], shown["revoked_reason"]) == ("admin", "It was another one")
    await until_evidence(steward, system, "replacement_plan", "revoked")
    await name_document(steward, system, "replacement_plan", "report")
    system = await move(steward, system, "retiring")
    assert system["state"] == "retiring"


async def test_revocation_and_move_at_once_never_both_count(steward: Harness) -> None:
    """Either the move came first, or it was refused for what was revoked."""
    for number in range(4):
        system = await register_system(steward, name=f"Archive {number}")
        await earn(steward, system, "retiring")
        plan = next(
            one
            for one in (await steward.admin.get(f"{ASSETS}/{system['id']}/evidence")).json()["items"]
            if one["kind"] == "replacement_plan"
        )
        moved, revoked = await asyncio.gather(ask_move(steward, system, "retiring"), revoke(steward, plan["id"]))
        assert revoked.status_code == 200
        [decision] = (await steward.admin.get(f"{ASSETS}/{system['id']}/decisions")).json()["items"]
        named = plan["id"] in {by for one in decision["met"] for by in one["by"]}
        assert named == (moved.status_code == 200)


async def test_two_signatures_are_of_two_approvers(steward: Harness) -> None:
    """The same person in the other capacity is refused, as is an operator; a signature cannot be waived."""
    system = await register_system(steward)
    kind = "go_live_sign_offs"
    assert (await say(steward, system, kind, "approver", "anna", "radiology")).status_code == 201
    again = await say(steward, system, kind, "approver", "anna", "it")
    assert (again.status_code, "another person" in again.json()["detail"]) == (409, True)
    assert (await say(steward, system, kind, "approver", "bruno", "janitor")).status_code == 422
    assert (await say(steward, system, kind, "operator", "clara", None)).status_code == 403
    assert (await say(steward, system, kind, "approver", "bruno", "it")).status_code == 201
    waived = await steward.admin.post(
        f"{ASSETS}/{system['id']}/waivers",
        json={"kind": kind, "reason": "in a hurry", "expires_at": "2030-01-01T00:00:00Z"},
    )
    assert (waived.status_code, "no waiver" in waived.json()["detail"]) == (409, True)


async def test_nobody_leaves_isolation_without_certificates(steward: Harness) -> None:
    """One for every drive, spare and backup medium; the gate names those that lack one, and knows no waiver."""
    system = await register_system(steward)
    drives = [
        await install(steward, "drive", system_id=system["id"], name=f"Drive {n}", manufacturer="S", serial=f"S{n}")
        for n in (1, 2)
    ]
    tape = await install(steward, "drive", system_id=system["id"], name="Tape 7", media_type="tape")
    system = await move(steward, system, "retiring", "migrated", "isolated")
    kind = "sanitization_certificate"
    refused = await ask_move(steward, system, "sanitized")
    assert [one["kind"] for one in refused.json()["missing"]] == [kind, VALIDATED]
    unnamed = await name_refused(steward, system, kind)
    assert (unnamed["field"], "medium" in unnamed["rule"]) == ("covers", True)
    await name_document(steward, system, kind, "certificate", [drives[0]["id"], tape["id"]])
    assert await why(steward, system, "sanitized", kind) == "missing for Drive 2"
    for back in ("retiring", "in_service", "migrated", "closed", "disposed"):
        assert (await ask_move(steward, system, back)).status_code == 409
    await name_document(steward, system, kind, "certificate", [drives[1]["id"]])
    assert [one["kind"] for one in (await gate(steward, system, "sanitized"))["missing"]] == [VALIDATED]
    await validate(steward, system)
    assert (await ask_move(steward, system, "sanitized")).status_code == 200


async def test_certificate_is_validated_by_another_than_who_has_recorded_it(steward: Harness) -> None:
    """One person alone can't, whatever roles he has; the other's word counts for the media that it names."""
    system = await register_system(steward)
    drives = [
        await install(steward, "drive", system_id=system["id"], name=f"Drive {n}", manufacturer="S", serial=f"S{n}")
        for n in (1, 2)
    ]
    system = await move(steward, system, "retiring", "migrated", "isolated")
    first, second = (drive["id"] for drive in drives)
    early = await say(steward, system, VALIDATED, "approver", "anna", None, [first])
    assert (early.status_code, "that comes first" in early.json()["detail"]) == (409, True)
    certificate = await name_document(steward, system, "sanitization_certificate", "certificate", [first, second])
    own = await say(steward, system, VALIDATED, "approver", "admin", None, [first])
    assert (own.status_code, "admin has recorded" in own.json()["detail"]) == (409, True)
    assert (await say(steward, system, VALIDATED, "operator", "anna", None, [first])).status_code == 403
    assert (await say(steward, system, VALIDATED, "approver", "anna", None, [first])).status_code == 201
    assert await why(steward, system, "sanitized", VALIDATED) == "missing for Drive 2"
    assert (await say(steward, system, VALIDATED, "approver", "anna", None, [second])).status_code == 201
    assert await why(steward, system, "sanitized", VALIDATED) is None
    await revoke(steward, certificate["id"])
    await name_document(steward, system, "sanitization_certificate", "certificate", [first, second])
    lacking = await why(steward, system, "sanitized", VALIDATED)
    assert lacking == "nobody else had recorded before what it is stated of"
    await validate(steward, system)
    assert (await ask_move(steward, system, "sanitized")).status_code == 200


async def test_drive_that_leaves_an_isolated_system_needs_its_certificate_all_the_same(steward: Harness) -> None:
    """To take it out of the books of its system opens no gate; nor does a move of its own that proves nothing."""
    system = await register_system(steward)
    drives = [
        await install(steward, "drive", system_id=system["id"], name=f"Drive {n}", manufacturer="S", serial=f"S{n}")
        for n in (1, 2)
    ]
    system = await move(steward, system, "retiring", "migrated", "isolated")
    kind = "sanitization_certificate"
    await name_document(steward, system, kind, "certificate", [drives[0]["id"]])
    gone = await change(steward, drives[1], system_id=None)
    assert gone["system_id"] is None
    assert await why(steward, system, "sanitized", kind) == "missing for Drive 2"
    gone = await move(steward, gone, "retiring", "migrated", "isolated")
    assert await why(steward, system, "sanitized", kind) == "missing for Drive 2"
    await name_document(steward, gone, kind, "certificate")
    gone = await move(steward, gone, "sanitized")
    assert await why(steward, system, "sanitized", kind) is None
    assert (await move(steward, system, "sanitized"))["state"] == "sanitized"


async def name_refused(steward: Harness, asset: dict[str, Any], kind: str) -> dict[str, str]:
    """The fault of a certificate that does not say which media it is for."""
    document = await uploaded(
        steward.admin, b"%PDF-1.7\n%%EOF\n", "certificate.pdf", kind="certificate", asset_ids=[asset["id"]]
    )
    answer = await give_evidence(steward, asset, kind=kind, document_id=document["id"])
    assert answer.status_code == 422, answer.text
    fault: dict[str, str] = answer.json()["errors"][0]
    return fault


async def test_what_others_depend_on_is_not_isolated(steward: Harness) -> None:
    """The gate names them, until they depend on something else; no waiver is given."""
    first, second = await register_system(steward), await register_system(steward, name="Reporting")
    body = {"kind": "depends_on", "from_id": second["id"], "to_id": first["id"]}
    link = await post(steward, "/inventory/v1/links", body)
    first = await move(steward, first, "retiring", "migrated")
    assert await why(steward, first, "isolated", "no_dependents") == "still depended on by Reporting"
    wish = {"kind": "no_dependents", "reason": "in a hurry", "expires_at": "2100-01-01T00:00:00Z"}
    refused = await steward.admin.post(f"{ASSETS}/{first['id']}/waivers", json=wish)
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "there is no waiver for no_dependents: Nothing depends on it",
    )
    deleted = await steward.admin.delete(f"/inventory/v1/links/{link['id']}", headers={"If-Match": '"1"'})
    assert deleted.status_code == 200
    assert (await move(steward, first, "isolated"))["state"] == "isolated"


async def test_fan_needs_no_papers_and_hardware_what_it_is_for(steward: Harness) -> None:
    """Gates fit what stands before them: hardware goes to a recycler, a server says which media it holds."""
    fan = await install(steward, "other", name="Fan")
    ups = await install(steward, "ups", manufacturer="S", serial="U1")
    server = await install(steward, "server", manufacturer="S", serial="V1")
    drive = await install(steward, "drive", manufacturer="S", serial="S1")
    states = ("retiring", "migrated", "isolated", "sanitized", "disposed", "closed")
    for state in states:
        assert (await ask_move(steward, fan, state)).status_code == 200
    for state in states[:3]:
        for one in (ups, server, drive):
            assert (await ask_move(steward, one, state)).status_code == 200
    refused = await ask_move(steward, drive, "sanitized")
    assert [one["kind"] for one in refused.json()["missing"]] == ["sanitization_certificate", VALIDATED]
    assert (await ask_move(steward, ups, "sanitized")).status_code == 200
    away = (await ask_move(steward, ups, "disposed")).json()["missing"]
    assert {one["kind"]: one["why"] for one in away} == {
        "custody_chain": "A ups: no custody is recorded",
        "recycler_manifest": "on no recycler's manifest: A ups",
    }
    assert [one["kind"] for one in (await ask_move(steward, server, "sanitized")).json()["missing"]] == [ACCOUNTED]


async def test_server_whose_drives_nobody_recorded_is_not_taken_for_clean(steward: Harness) -> None:
    """Until one is recorded in it, or an approver says that it holds none; one that is taken out again is none."""
    server = await install(steward, "server", manufacturer="S", serial="V1")
    server = await move(steward, server, "retiring", "migrated", "isolated")
    drive = await install(steward, "drive", installed_in=server["id"], manufacturer="S", serial="S1")
    assert await why(steward, server, "sanitized", ACCOUNTED) is None
    await change(steward, drive, installed_in=None)
    assert await why(steward, server, "sanitized", ACCOUNTED) == "no drive or other medium in it is recorded"
    assert (await say(steward, server, ACCOUNTED, "operator", "anna", None)).status_code == 403
    assert (await say(steward, server, ACCOUNTED, "approver", "anna", None)).status_code == 201
    assert (await ask_move(steward, server, "sanitized")).status_code == 200
