"""Documents over HTTP and on the bus: versions that stay, content that is kept once, what is refused."""

import asyncio
from hashlib import sha256
from typing import Any

import pytest

from tests.harness import Harness
from tests.integration.inventory.documents.files import DOCUMENTS, FORM, JPEG, PDF, PNG, upload, uploaded, workbook
from tests.integration.inventory.requests import NOBODY, check_malformed, move, register_system

PATCH = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b77"
SECOND = PDF.replace(b"<<>>", b"<< /Title (2) >>")


@pytest.mark.seed("33")
async def test_guide_has_versions_and_is_found_by_its_system_and_its_change(steward: Harness) -> None:
    """The quick reference of a system is written anew for a patch; both versions are read, byte for byte."""
    system = await register_system(steward)
    alice = steward.as_("alice", "operator:north")
    guide = await uploaded(
        alice, name="quick-reference.pdf", kind="quick_reference", asset_ids=[system["id"]], valid_until="2027-12-31"
    )
    assert (guide["version"], guide["asset_ids"], guide["made_by"]) == (1, [system["id"]], "alice")
    event = await steward.heard.until("document.changed")
    assert (event.subject, event.site_id, event.actor) == (guide["id"], "north", "alice")
    assert (event.data.sha256, event.data.kind) == (sha256(PDF).hexdigest(), "quick_reference")
    url = f"{DOCUMENTS}/{guide['id']}"
    answer = await upload(alice, SECOND, "quick-reference.pdf", f"{url}/versions", change_id=PATCH, headers=seen(1))
    assert (answer.status_code, answer.headers["etag"]) == (201, '"2"'), answer.text
    newest = answer.json()
    assert (newest["change_id"], newest["valid_until"], newest["title"]) == (PATCH, "2027-12-31", FORM["title"])
    for query in ({"asset_id": system["id"]}, {"change_id": PATCH}, {"kind": "quick_reference"}):
        assert (await alice.get(DOCUMENTS, params=query)).json()["items"] == [newest], query
    assert (await alice.get(f"{url}/versions")).json() == {"items": [guide, newest], "next": None}
    for number, content in ((1, PDF), (2, SECOND)):
        got = await alice.get(f"{url}/versions/{number}/content")
        assert (got.content, got.headers["content-type"]) == (content, "application/pdf")
    assert (await alice.get(f"{url}/versions/3")).status_code == 404
    event = await steward.heard.until("document.changed", lambda event: event.data.version == 2)
    assert event.data.sha256 == sha256(SECOND).hexdigest()


def seen(version: int) -> dict[str, str]:
    """The header of a change to that version."""
    return {"If-Match": f'"{version}"'}


async def test_content_is_kept_once_and_guessed_by_no_browser(steward: Harness) -> None:
    """Three uploads of one file, two of them at the same time, are three documents and one content."""
    first, second = await asyncio.gather(*(uploaded(steward.admin, title=title) for title in ("One", "Two")))
    third = await uploaded(steward.admin, site_id="south", name='größe "2".pdf'.replace('"', "'"))
    assert first["id"] != second["id"]
    assert first["sha256"] == second["sha256"] == third["sha256"] == sha256(PDF).hexdigest()
    pool = steward.pools["inventory"]
    assert await pool.fetchval("SELECT count(*) FROM contents") == 1
    assert await pool.fetchval("SELECT sum(length(bytes)) FROM content_pieces") == len(PDF)
    got = await steward.admin.get(f"{DOCUMENTS}/{third['id']}/versions/1/content")
    assert got.headers["content-disposition"].startswith(
        "attachment; filename=\"gr__e _2_.pdf\"; filename*=UTF-8''gr%C3"
    )
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]


async def test_content_that_a_version_needs_cannot_be_removed(steward: Harness) -> None:
    """The database itself refuses."""
    document = await uploaded(steward.admin)
    with pytest.raises(Exception, match="foreign key"):
        await steward.pools["inventory"].execute("DELETE FROM contents WHERE sha256 = $1", document["sha256"])


async def test_of_two_versions_at_once_one_is_stored(steward: Harness) -> None:
    """The other is 412, and leaves nothing; without If-Match it is 428."""
    document = await uploaded(steward.admin)
    url = f"{DOCUMENTS}/{document['id']}/versions"
    contents = [PDF + str(number).encode() + b"\n%%EOF" for number in range(4)]
    answers = await asyncio.gather(*(upload(steward.admin, one, url=url, headers=seen(1)) for one in contents))
    assert sorted(answer.status_code for answer in answers) == [201, 412, 412, 412]
    pool = steward.pools["inventory"]
    assert await pool.fetchval("SELECT count(*) FROM contents") == 2
    assert (await upload(steward.admin, SECOND, url=url)).status_code == 428
    again = await upload(steward.admin, contents[[a.status_code for a in answers].index(201)], url=url, headers=seen(2))
    assert (again.status_code, "this very file" in again.json()["detail"]) == (409, True)


async def test_change_of_what_is_told_is_a_version_with_the_same_file(steward: Harness) -> None:
    """The version before shows what was told before."""
    system = await register_system(steward)
    document = await uploaded(steward.admin, valid_until="2026-12-31")
    url = f"{DOCUMENTS}/{document['id']}"
    body = {"title": "Renamed", "asset_ids": [system["id"]], "change_id": None, "valid_until": "2028-01-01"}
    changed = await steward.admin.put(url, json=body, headers=seen(1))
    assert changed.status_code == 200, changed.text
    assert changed.json().items() >= (body | {"version": 2, "sha256": document["sha256"]}).items()
    assert (await steward.admin.get(f"{url}/versions/1")).json() == document
    assert (await steward.admin.get(DOCUMENTS, params={"ends_before": "2027-01-01"})).json()["items"] == []
    assert (await steward.admin.put(url, json=body, headers=seen(1))).status_code == 412


async def test_same_request_is_carried_out_once(steward: Harness) -> None:
    """The key stands for fields, name and content together."""
    key = {"Idempotency-Key": "once"}
    first, again = [await uploaded(steward.admin, headers=key) for _ in range(2)]
    assert first == again
    for content, name, title in ((SECOND, "manual.pdf", "x"), (PDF, "other.pdf", "x"), (PDF, "manual.pdf", "other")):
        other = await upload(steward.admin, content, name, title=title, headers=key)
        check_malformed(other, "Idempotency-Key")


async def test_documents_of_another_site_do_not_exist(steward: Harness) -> None:
    """Neither the document nor its versions nor its content; and no asset of another site joins one of yours."""
    system = await register_system(steward)
    document = await uploaded(steward.admin, asset_ids=[system["id"]])
    url = f"{DOCUMENTS}/{document['id']}"
    south = steward.as_("sam", "operator:south")
    assert (await south.get(DOCUMENTS)).json()["items"] == []
    assert (await south.get(DOCUMENTS, params={"asset_id": system["id"]})).json()["items"] == []
    for path in ("", "/versions", "/versions/1", "/versions/1/content"):
        assert (await south.get(url + path)).status_code == 404
    assert (await upload(south, url=f"{url}/versions", headers=seen(1))).status_code == 404
    assert (await upload(south)).status_code == 404
    joined = await upload(south, site_id="south", asset_ids=[system["id"]])
    absent = await upload(south, site_id="south", asset_ids=[NOBODY])
    assert (joined.status_code, absent.status_code) == (404, 404)
    assert joined.json()["detail"].replace(system["id"], NOBODY) == absent.json()["detail"]
    assert (await upload(steward.as_("eve", "viewer:north"))).status_code == 403


async def test_document_of_the_group_shows_to_each_what_is_his(steward: Harness) -> None:
    """All may read it, and see of its assets their own; only the group's administrator changes it."""
    systems = [await register_system(steward), await register_system(steward, site_id="south", name="S")]
    ids = [system["id"] for system in systems]
    document = await uploaded(steward.admin, site_id="group", asset_ids=ids)
    assert document["asset_ids"] == sorted(ids)
    sam = steward.as_("sam", "operator:south")
    url = f"{DOCUMENTS}/{document['id']}"
    assert (await sam.get(url)).json()["asset_ids"] == [ids[1]]
    assert (await sam.get(f"{url}/versions/1/content")).content == PDF
    assert (await sam.get(DOCUMENTS, params={"asset_id": ids[0]})).json()["items"] == []
    assert [item["id"] for item in (await sam.get(DOCUMENTS)).json()["items"]] == [document["id"]]
    history = await sam.get("/inventory/v1/history", params={"thing_id": document["id"]})
    assert history.json()["items"]
    assert ids[0] not in history.text
    assert (await upload(sam, site_id="group")).status_code == 403
    assert (await upload(sam, SECOND, url=f"{url}/versions", headers=seen(1))).status_code == 403


async def test_nothing_joins_an_asset_that_has_ended(steward: Harness) -> None:
    """409; what belonged to it before goes on belonging to it."""
    system = await register_system(steward, state="proposed")
    document = await uploaded(steward.admin, asset_ids=[system["id"]])
    await move(steward, system, "cancelled")
    assert (await upload(steward.admin, asset_ids=[system["id"]])).status_code == 409
    answer = await upload(steward.admin, SECOND, url=f"{DOCUMENTS}/{document['id']}/versions", headers=seen(1))
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", PNG),
        ("a.jpg", JPEG),
        ("a.txt", "größer".encode()),
        ("a.csv", b"a;b\n1;2\n"),
        ("a.md", b"# Title\n"),
        ("a.json", b'{"a": [1]}'),
        ("a.xml", b"<?xml version='1.0'?><a/>"),
        ("a.xlsx", workbook()),
        ("v1.2 (final).pdf", PDF),
    ],
)
async def test_known_files_are_taken(steward: Harness, name: str, content: bytes) -> None:
    """The type is told by the content."""
    assert (await uploaded(steward.admin, content, name))["name"] == name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("invoice.pdf.exe", PDF),
        ("invoice.exe.pdf", PDF),
        ("invoice\u202efdp.exe", PDF),
        ("../manual.pdf", PDF),
        ("CON.pdf", PDF),
        ("macros.xlsm", workbook()),
        ("page.html", b"<html></html>"),
        ("drawing.svg", b"<svg/>"),
    ],
)
async def test_names_that_disguise_are_refused(steward: Harness, name: str, content: bytes) -> None:
    """422 names the field; nothing is kept."""
    check_malformed(await upload(steward.admin, content, name), "name")
    assert await steward.pools["inventory"].fetchval("SELECT count(*) FROM contents") == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pdf", b""),
        ("a.pdf", PNG),
        ("a.png", PDF),
        ("a.pdf", b"MZ\x90\x00" + PDF),
        ("a.txt", b"\x00\x01"),
        ("a.txt", b"<HTML><script>alert(1)</script>"),
        ("a.xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
        ("a.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
        ("a.json", b"{"),
        ("a.xlsx", workbook(xl__vbaProject_bin=b"x")),
        ("a.xlsx", workbook(xl__inner_bin=workbook())),
        ("a.xlsx", workbook(xl__media__a_bin=bytes(20_000_000))),
    ],
)
async def test_content_that_is_not_taken_is_refused(steward: Harness, name: str, content: bytes) -> None:
    """Content at odds with the name, what a browser would run, entities, macros, nested archives and bombs."""
    check_malformed(await upload(steward.admin, content, name), "file")
    assert await steward.pools["inventory"].fetchval("SELECT count(*) FROM contents") == 0


async def test_fields_are_held_to_their_rules(steward: Harness) -> None:
    """Each fault names its field, with an example."""
    for field, value in (
        ("kind", "novel"),
        ("title", " "),
        ("asset_ids.0", "x"),
        ("valid_until", "soon"),
        ("colour", "red"),
    ):
        spoilt: dict[str, Any] = {field.split(".")[0]: value}
        check_malformed(await upload(steward.admin, **spoilt), field)
    check_malformed(await steward.admin.post(DOCUMENTS, data=FORM), "Content-Type")
    check_malformed(await steward.admin.post(DOCUMENTS, json=FORM), "Content-Type")
    twice = [("file", ("a.pdf", PDF)), ("file", ("b.pdf", PDF))]
    check_malformed(await steward.admin.post(DOCUMENTS, data=FORM, files=twice), "file")
    assert (await upload(steward.admin, site_id="west")).status_code == 404
