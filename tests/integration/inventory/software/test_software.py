"""Software over HTTP and on the bus: SBOMs, the approved list, its alerts, and MDS2 forms."""

from typing import Any

import httpx
import pytest

from shared.events.alerts import AlertRaised, AlertResolved
from tests.harness import Harness
from tests.integration.inventory.documents.files import DOCUMENTS, PDF, upload, uploaded
from tests.integration.inventory.requests import ASSETS, NOBODY, check_malformed, move, post, register_system
from tests.unit.inventory.software.boms import LOG4J, POSTGRES, REMOTE, mds2_json, mds2_workbook, sbom

APPROVED = "/inventory/v1/approved-software"
ANY_LIBRARY = {"site_id": "group", "name": "*", "software_type": "library"}


async def sbom_of(steward: Harness, asset: dict[str, Any], *components: dict[str, Any]) -> dict[str, Any]:
    """A document with an SBOM of these components, which belongs to the asset."""
    document: dict[str, Any] = await uploaded(
        steward.admin,
        sbom(*components),
        "bom.cdx.json",
        site_id=asset["site_id"],
        kind="sbom",
        asset_ids=[asset["id"]],
    )
    return document


async def take(
    client: httpx.AsyncClient, asset: dict[str, Any], document: dict[str, Any], what: str = "software"
) -> Any:
    """What is known after a document was taken for the asset."""
    answer = await client.post(f"{ASSETS}/{asset['id']}/{what}", json={"document_id": document["id"]})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def names(steward: Harness, asset: dict[str, Any], **query: str) -> list[str]:
    """The names of an asset's software."""
    answer = await steward.admin.get(f"{ASSETS}/{asset['id']}/software", params=query)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


@pytest.mark.seed("35")
async def test_software_that_nobody_approved_is_found_told_and_resolved(steward: Harness) -> None:
    """What an SBOM says is compared with the approved lists of site and group: an alert, until it is approved."""
    await post(steward, APPROVED, ANY_LIBRARY)
    await post(steward, APPROVED, {"site_id": "north", "name": "postgresql", "versions": ">=16, <18"})
    system = await register_system(steward)
    document = await sbom_of(steward, system, LOG4J, POSTGRES, REMOTE)
    taken = await take(steward.admin, system, document)
    assert (taken["items"], taken["unapproved"], taken["sha256"]) == (3, 1, document["sha256"])
    assert await names(steward, system, unapproved="true") == ["RemoteHelp"]
    assert len(await names(steward, system)) == 3
    raised = await steward.heard.until("alert.raised")
    assert (raised.subject, raised.site_id, raised.data.check) == (system["id"], "north", "unapproved-software")
    assert "RemoteHelp 15" in raised.data.summary
    listed = await steward.heard.until("software.listed")
    assert (listed.data.added, listed.data.unapproved, listed.data.sha256) == (3, 1, document["sha256"])
    await post(steward, APPROVED, {"site_id": "north", "name": "RemoteHelp", "versions": "15"})
    resolved = await steward.heard.until("alert.resolved")
    assert resolved.data.alert_id == raised.data.alert_id
    assert await names(steward, system, unapproved="true") == []
    approved = await steward.heard.until("approved_software.changed", lambda event: event.data.name == "RemoteHelp")
    assert (approved.site_id, approved.data.deleted) == ("north", False)


async def test_alert_ends_when_the_software_is_gone_and_is_raised_anew_for_what_is_new(steward: Harness) -> None:
    """While nothing new is found, nothing is told again."""
    await post(steward, APPROVED, ANY_LIBRARY)
    system = await register_system(steward)
    await take(steward.admin, system, await sbom_of(steward, system, REMOTE))
    first = await steward.heard.until("alert.raised")
    await take(steward.admin, system, await sbom_of(steward, system, REMOTE, LOG4J))
    await take(steward.admin, system, await sbom_of(steward, system, REMOTE, POSTGRES))
    second = await steward.heard.until("alert.raised", lambda event: event.id != first.id)
    assert "PostgreSQL" in second.data.summary
    await take(steward.admin, system, await sbom_of(steward, system, LOG4J))
    await steward.heard.until("alert.resolved", lambda event: event.data.alert_id == second.data.alert_id)
    for what in (AlertRaised, AlertResolved):
        told = [event.data.alert_id for event in steward.heard.events if isinstance(event.data, what)]
        assert told == [first.data.alert_id, second.data.alert_id], what


async def test_alert_ends_with_its_asset(steward: Harness) -> None:
    """What is closed runs nothing."""
    await post(steward, APPROVED, ANY_LIBRARY)
    system = await register_system(steward, state="proposed")
    await take(steward.admin, system, await sbom_of(steward, system, REMOTE))
    raised = await steward.heard.until("alert.raised")
    await move(steward, system, "cancelled")
    assert (await steward.heard.until("alert.resolved")).data.alert_id == raised.data.alert_id


async def test_without_a_list_nothing_is_judged(steward: Harness) -> None:
    """``approved`` is null; a list for another type of asset is none, and one that is taken away is none any more."""
    entry = await post(steward, APPROVED, {"site_id": "north", "name": "x", "asset_type": "workstation"})
    system = await register_system(steward)
    taken = await take(steward.admin, system, await sbom_of(steward, system, REMOTE))
    assert taken["unapproved"] is None
    assert await names(steward, system, unapproved="true") == []
    url = f"{APPROVED}/{entry['id']}"
    changed = await steward.admin.put(url, json={"name": "x", "asset_type": "system"}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    raised = await steward.heard.until("alert.raised")
    assert await names(steward, system, unapproved="true") == ["RemoteHelp"]
    assert (await steward.admin.delete(url, headers={"If-Match": '"1"'})).status_code == 412
    assert (await steward.admin.delete(url, headers={"If-Match": '"2"'})).status_code == 200
    assert (await steward.heard.until("alert.resolved")).data.alert_id == raised.data.alert_id
    assert (await steward.admin.get(f"{ASSETS}/{system['id']}/sbom")).json()["unapproved"] is None


async def test_same_sbom_again_changes_nothing(steward: Harness) -> None:
    """By its digest: one software.listed is all that is told."""
    system = await register_system(steward)
    document = await sbom_of(steward, system, LOG4J)
    first = await take(steward.admin, system, document)
    assert await take(steward.as_("bob", "operator:north"), system, document) == first
    again = await sbom_of(steward, system, LOG4J)
    assert await take(steward.admin, system, again) == first
    await take(steward.admin, system, await sbom_of(steward, system, POSTGRES))
    await steward.heard.until("software.listed", lambda event: event.data.added == 1 == event.data.removed)
    assert sum(event.type == "software.listed" for event in steward.heard.events) == 2


async def test_two_sboms_are_compared(steward: Harness) -> None:
    """Two documents, or two versions of one."""
    system = await register_system(steward)
    document = await sbom_of(steward, system, LOG4J, POSTGRES)
    url = f"{DOCUMENTS}/{document['id']}/versions"
    second = sbom(LOG4J, POSTGRES | {"version": "17"})
    assert (await upload(steward.admin, second, "b.json", url, headers={"If-Match": '"1"'})).status_code == 201
    compared = f"{DOCUMENTS}/{document['id']}/sbom-difference"
    found = (await steward.admin.get(compared)).json()
    assert (found["added"], found["removed"]) == ([], [])
    assert [(one["name"], one["before"], one["after"]) for one in found["changed"]] == [("PostgreSQL", "16.4", "17")]
    other = await sbom_of(steward, system, POSTGRES)
    query = {"before_document": other["id"], "document_version": "1"}
    found = (await steward.admin.get(compared, params=query)).json()
    assert [one["name"] for one in found["added"]] == ["org.apache.logging.log4j/log4j-core"]
    manual = await uploaded(steward.admin)
    assert (await steward.admin.get(compared, params={"before_document": manual["id"]})).status_code == 409


async def test_document_must_be_an_sbom_of_that_asset(steward: Harness) -> None:
    """What is no SBOM is refused at upload; one of another asset, another site or another kind when it is taken."""
    system, other = await register_system(steward), await register_system(steward, name="Other")
    for content, name in ((b"{}", "bom.json"), (PDF, "bom.pdf"), (b"<bom/>", "bom.xml")):
        check_malformed(await upload(steward.admin, content, name, kind="sbom", asset_ids=[system["id"]]), "file")
    document = await sbom_of(steward, other, LOG4J)
    manual = await uploaded(steward.admin, asset_ids=[system["id"]])
    url = f"{ASSETS}/{system['id']}/software"
    for wrong in (document, manual):
        assert (await steward.admin.post(url, json={"document_id": wrong["id"]})).status_code == 409
    far = await register_system(steward, site_id="south", name="Far")
    theirs = await sbom_of(steward, far, LOG4J)
    nora = steward.as_("nora", "operator:north")
    for absent in (theirs["id"], NOBODY):
        assert (await nora.post(url, json={"document_id": absent})).status_code == 404
    for path in ("software", "sbom", "mds2"):
        assert (await nora.get(f"{ASSETS}/{far['id']}/{path}")).status_code == 404
    closed = await move(steward, await register_system(steward, name="Ended", state="proposed"), "cancelled")
    assert (
        await steward.admin.post(f"{ASSETS}/{closed['id']}/software", json={"document_id": document["id"]})
    ).status_code == 409


async def test_approved_lists_of_others_do_not_exist(steward: Harness) -> None:
    """The group's is seen by all and changed by its administrator."""
    north = await post(steward, APPROVED, {"site_id": "north", "name": "PostgreSQL"})
    group = await post(steward, APPROVED, ANY_LIBRARY)
    sam = steward.as_("sam", "site-admin:south")
    assert [entry["id"] for entry in (await sam.get(APPROVED)).json()["items"]] == [group["id"]]
    assert (await sam.get(f"{APPROVED}/{north['id']}")).status_code == 404
    assert (await sam.post(APPROVED, json={"site_id": "north", "name": "x"})).status_code == 404
    for url, status in ((f"{APPROVED}/{north['id']}", 404), (f"{APPROVED}/{group['id']}", 403)):
        assert (await sam.put(url, json={"name": "x"}, headers={"If-Match": '"1"'})).status_code == status
        assert (await sam.delete(url, headers={"If-Match": '"1"'})).status_code == status
    assert (await sam.post(APPROVED, json=ANY_LIBRARY)).status_code == 403
    for field, value in (("versions", ">=1 <"), ("name", "*a*b*"), ("software_type", "toaster"), ("asset_type", "x")):
        refused = await steward.admin.post(APPROVED, json={"site_id": "north", "name": "x", field: value})
        assert refused.status_code == 422, (field, refused.text)
    assert (await steward.admin.post(APPROVED, json={"site_id": "west", "name": "x"})).status_code == 404


async def test_form_tells_which_capabilities_are_answered_no(steward: Harness) -> None:
    """A workbook and JSON say the same; a form on paper is kept, and not read."""
    system = await register_system(steward)
    of_it: dict[str, Any] = {"kind": "mds2", "asset_ids": [system["id"]]}
    document = await uploaded(steward.admin, mds2_workbook(), "mds2.xlsx", **of_it)
    form = await take(steward.admin, system, document, "mds2")
    assert [(one["question"], one["capability"]) for one in form["lacking"]] == [("ALOF-1", "automatic logoff")]
    recorded = await steward.heard.until("mds2.recorded")
    assert (recorded.subject, recorded.data.lacking) == (system["id"], ["ALOF-1"])
    in_json = await uploaded(steward.admin, mds2_json(), "mds2.json", **of_it)
    again = await take(steward.admin, system, in_json, "mds2")
    assert (await steward.admin.get(f"{ASSETS}/{system['id']}/mds2")).json() == again
    assert [one["answer"] for one in again["answers"]] == [one["answer"] for one in form["answers"]]
    paper = await uploaded(steward.admin, PDF, "mds2.pdf", **of_it)
    refused = await steward.admin.post(f"{ASSETS}/{system['id']}/mds2", json={"document_id": paper["id"]})
    check_malformed(refused, "document_id")
    check_malformed(await upload(steward.admin, b'{"answers": []}', "mds2.json", **of_it), "file")
