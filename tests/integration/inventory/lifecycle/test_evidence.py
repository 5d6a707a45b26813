"""Evidence that people name: documents and statements, under every rule that could be tried to get around."""

from typing import Any

from tests.harness import Harness
from tests.integration.inventory.documents.files import uploaded
from tests.integration.inventory.earning import name_document, upload
from tests.integration.inventory.lifecycle.steps import STATEMENT, ask_move, give_evidence, why
from tests.integration.inventory.requests import ASSETS, NOBODY, check_malformed, move, register_system


async def test_document_of_another_asset_or_site_is_no_evidence(steward: Harness) -> None:
    """409 for one that does not belong to the asset, 404 for what lies at another site as for what is nowhere."""
    system, other = await register_system(steward), await register_system(steward, name="Other")
    far = await register_system(steward, site_id="south", name="Far")
    documents = {name: await upload(steward, asset, "report") for name, asset in (("other", other), ("far", far))}
    kind = "replacement_plan"
    of_other = await give_evidence(steward, system, kind=kind, document_id=documents["other"]["id"])
    assert (of_other.status_code, "does not belong" in of_other.json()["detail"]) == (409, True)
    for document_id in (documents["far"]["id"], NOBODY):
        answer = await give_evidence(steward, system, kind=kind, document_id=document_id)
        assert (answer.status_code, answer.json()["detail"]) == (404, f"no document {document_id}")
    assert (await steward.admin.get(f"{ASSETS}/{system['id']}/evidence")).json()["items"] == []


async def test_document_of_another_kind_is_no_evidence(steward: Harness) -> None:
    """422 says which kinds serve."""
    system = await register_system(steward)
    photo = await upload(steward, system, "other")
    answer = await give_evidence(steward, system, kind="needs_assessment", document_id=photo["id"])
    check_malformed(answer, "document_id")
    assert "needs_assessment" in answer.json()["errors"][0]["rule"]


async def test_document_counts_with_the_bytes_that_it_had_and_until_its_last_day(steward: Harness) -> None:
    """A new version of it is other evidence; one whose last day is past opens nothing."""
    system = await register_system(steward)
    kind = "replacement_plan"
    old: dict[str, Any] = {"kind": "report", "asset_ids": [system["id"]], "valid_until": "2020-12-31"}
    document = await uploaded(steward.admin, b"%PDF-1.7\n%%EOF\n", "plan.pdf", **old)
    expired = await give_evidence(steward, system, kind=kind, document_id=document["id"])
    assert expired.status_code == 201
    lacking = await why(steward, system, "retiring", kind)
    assert lacking is not None
    assert lacking.startswith("what was recorded was valid until 2021-01-01")
    evidence = await name_document(steward, system, kind, "report")
    assert await why(steward, system, "retiring", kind) is None
    url = f"/inventory/v1/documents/{evidence['reference']}/versions"
    newer = await steward.admin.post(url, files={"file": ("plan.txt", b"Another plan")}, headers={"If-Match": '"1"'})
    assert newer.status_code == 201, newer.text
    shown = (await steward.admin.get(f"/inventory/v1/evidence/{evidence['id']}")).json()
    assert shown["sha256"] == evidence["sha256"] != newer.json()["sha256"]


async def test_paper_that_came_to_end_sooner_takes_its_evidence_with_it(steward: Harness) -> None:
    """Whatever its last day was when it was named, also where a new file says so, and until that is taken back."""
    system = await register_system(steward)
    kind = "replacement_plan"
    for change in ("told", "file"):
        evidence = await name_document(steward, system, kind, "report")
        assert await why(steward, system, "retiring", kind) is None
        url = f"/inventory/v1/documents/{evidence['reference']}"
        shown = (await steward.admin.get(url)).json()
        headers, ended = {"If-Match": '"1"'}, {"valid_until": "2020-12-31"}
        if change == "told":
            body = {"title": shown["title"], "asset_ids": shown["asset_ids"], **ended}
            answer = await steward.admin.put(url, json=body, headers=headers)
        else:
            files = {"file": ("plan.txt", b"Another plan")}
            answer = await steward.admin.post(f"{url}/versions", data=ended, files=files, headers=headers)
        assert answer.is_success, answer.text
        assert "was valid until 2021-01-01" in str(await why(steward, system, "retiring", kind))
        assert (await steward.admin.get(f"/inventory/v1/evidence/{evidence['id']}")).json()["valid_until"] is None
    lasting = (await steward.admin.put(url, json=body | {"valid_until": None}, headers={"If-Match": '"2"'})).status_code
    assert lasting == 200
    assert await why(steward, system, "retiring", kind) is None


async def test_word_is_enough_only_where_the_policy_takes_it(steward: Harness) -> None:
    """Not for a certificate, and not from somebody of the wrong role."""
    system = await register_system(steward)
    for kind in ("sanitization_certificate", "needs_assessment", "restore_drill"):
        check_malformed(await give_evidence(steward, system, kind=kind, statement=STATEMENT), "statement")
    assert (await give_evidence(steward, system, kind="retention_check", statement=STATEMENT)).status_code == 403
    approver = steward.as_("anna", "approver:north")
    signed = await approver.post(
        f"{ASSETS}/{system['id']}/signatures", json={"kind": "retention_check", "statement": STATEMENT}
    )
    assert (signed.status_code, signed.json()["role"], signed.json()["recorded_by"]) == (201, "approver", "anna")
    other = await approver.post(
        f"{ASSETS}/{system['id']}/signatures", json={"kind": "senders_repointed", "statement": STATEMENT}
    )
    assert other.status_code == 403
    named = await approver.post(
        f"{ASSETS}/{system['id']}/evidence", json={"kind": "senders_repointed", "statement": STATEMENT}
    )
    assert named.status_code == 403


async def test_evidence_of_before_does_not_count_where_it_must_be_fresh(steward: Harness) -> None:
    """Who says that access is revoked before the migration is over must say so again."""
    system = await register_system(steward)
    assert (await give_evidence(steward, system, kind="access_revoked", statement=STATEMENT)).status_code == 201
    system = await move(steward, system, "retiring", "migrated")
    lacking = await why(steward, system, "isolated", "access_revoked")
    assert lacking == "what was recorded is older than the move to migrated"


async def test_malformed_evidence_is_refused_field_by_field(steward: Harness) -> None:
    """422 names the field; what names two sources, or none, is no evidence."""
    system = await register_system(steward)
    body: dict[str, Any] = {"kind": "replacement_plan", "statement": STATEMENT}
    faults: list[tuple[str, dict[str, Any]]] = [
        ("kind", body | {"kind": "luck"}),
        ("kind", body | {"kind": "Not A Kind"}),
        ("statement", body | {"statement": "  "}),
        ("statement", body | {"statement": "x" * 2001}),
        ("body", {"kind": "replacement_plan"}),
        ("body", body | {"event_id": "x"}),
        ("document_id", {"kind": "replacement_plan", "document_id": "7"}),
        ("covers", body | {"covers": ["archive"]}),
        ("recorded_by", body | {"recorded_by": "somebody else"}),
    ]
    for field, sent in faults:
        check_malformed(await give_evidence(steward, system, **sent), field)
    certificate = await upload(steward, system, "certificate")
    unknown = {"kind": "sanitization_certificate", "document_id": certificate["id"], "covers": [NOBODY]}
    check_malformed(await give_evidence(steward, system, **unknown), "covers")


async def test_nothing_is_recorded_for_what_has_ended(steward: Harness) -> None:
    """A cancelled system takes neither evidence nor waivers."""
    system = await move(steward, await register_system(steward, state="proposed"), "cancelled")
    assert (await give_evidence(steward, system, kind="owner", statement=STATEMENT)).status_code == 409
    waiver = {"kind": "budget", "reason": "x", "expires_at": "2030-01-01T00:00:00Z"}
    assert (await steward.admin.post(f"{ASSETS}/{system['id']}/waivers", json=waiver)).status_code == 409
    assert (await ask_move(steward, system, "planned")).status_code == 409


async def test_history_keeps_what_was_recorded_and_revoked(steward: Harness) -> None:
    """Both states, with who and why."""
    system = await register_system(steward)
    made = (await give_evidence(steward, system, kind="replacement_plan", statement=STATEMENT)).json()
    url = f"/inventory/v1/evidence/{made['id']}"
    revoked = await steward.admin.post(
        f"{url}/revocation", json={"reason": "Another system"}, headers={"If-Match": '"1"'}
    )
    assert (revoked.status_code, revoked.headers["etag"]) == (200, '"2"')
    revisions = await steward.admin.get("/inventory/v1/history", params={"thing_id": made["id"]})
    first, second = revisions.json()["items"]
    assert (first["kind"], first["before"], first["after"]["statement"]) == ("evidence", None, STATEMENT)
    assert (second["reason"], second["after"]["revoked_by"]) == ("Another system", "admin")
