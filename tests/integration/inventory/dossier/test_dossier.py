"""Dossiers over REST: sealed when all is there, void when anything changes, closed with two signatures."""

import hashlib
import io
import json
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.inventory.assets.handlers import find_asset
from services.inventory.dossier import handlers
from services.inventory.dossier.package import read_package
from tests.harness import Harness
from tests.integration.conftest import Speak
from tests.integration.inventory.custody.parts import CUSTODY, GREENLOOP, RECYCLERS, register_drive, told
from tests.integration.inventory.dossier.retirement import Retirement
from tests.integration.inventory.earning import done, missing, seal, sign
from tests.integration.inventory.requests import ASSETS, PEOPLE, PERSON, move, post


@pytest.fixture
async def retirement(steward: Harness, speak: Speak) -> AsyncIterator[Retirement]:
    """A system of two drives, and a voice for backup."""
    async with speak("backup") as backup:
        retirement = Retirement(steward, backup)
        await retirement.begin()
        yield retirement


async def test_dossier_is_one_file_that_is_the_same_each_time(retirement: Retirement) -> None:
    """A plain ZIP file with manifest, PDF and documents, each as its SHA-256 says; as long as was promised."""
    await retirement.dispose()
    await retirement.add_document()
    dossier = await seal(retirement.steward, retirement.system)
    url = f"{ASSETS}/{retirement.system['id']}/dossier"
    answer = await retirement.steward.admin.get(f"{url}/file")
    again = await retirement.steward.admin.get(f"{url}/file")
    assert answer.content == again.content
    assert (len(answer.content), answer.headers["content-length"]) == (dossier["size"], str(dossier["size"]))
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    manifest = json.loads(archive.read("manifest.json"))
    assert hashlib.sha256(archive.read("manifest.json")).hexdigest() == dossier["sha256"]
    assert archive.namelist() == ["manifest.json", *(one["path"] for one in manifest["files"])]
    for one in manifest["files"]:
        assert hashlib.sha256(archive.read(one["path"])).hexdigest() == one["sha256"], one
    assert archive.read("dossier.pdf").startswith(b"%PDF")
    package = read_package(io.BytesIO(answer.content))
    assert (package.digest, package.proofs) == (dossier["sha256"], [])
    check_life(retirement, manifest)


def check_life(retirement: Retirement, manifest: dict[str, Any]) -> None:
    """The manifest has the whole life: moves, certificates, custody, recycler, and what shows which rule of privacy."""
    system = retirement.system["id"]
    moves = [one["to_state"] for one in manifest["transitions"] if one["asset_id"] == system]
    assert moves == ["retiring", "migrated", "isolated", "sanitized", "disposed"]
    assert {one["medium_id"] for one in manifest["certificates"]} == {drive["id"] for drive in retirement.drives}
    assert [one["kind"] for one in manifest["custody"]] == ["handed_over", "sealed", "picked_up"] * 2
    assert [one["serial"] for one in manifest["disposals"][0]["lines"]] == ["ZX-0000", "ZX-0001"]
    assert (
        {one["policy_version"] for one in manifest["decisions"]} == {1} == {p["version"] for p in manifest["policies"]}
    )
    assert len(manifest["decisions"]) == len(manifest["transitions"])
    assert [one["rule"][-6:] for one in manifest["privacy"]] == ["(2)(i)", "2)(ii)", ")(iii)", "2)(iv)"]
    assert all(one["shown_by"] for one in manifest["privacy"])
    types = {one["type"] for one in manifest["events"]}
    assert {
        "asset.transitioned",
        "custody.changed",
        "disposal.recorded",
        "media.sanitized",
        "migration.verified",
    } <= types


async def test_any_change_voids_the_dossier_and_its_signatures(retirement: Retirement) -> None:
    """It says what has changed; closing is refused until it is sealed and signed anew."""
    await retirement.dispose()
    steward, url = retirement.steward, f"{ASSETS}/{retirement.system['id']}/dossier"
    first = await seal(steward, retirement.system)
    await sign(steward, retirement.system)
    await retirement.add_document()
    seen = (await steward.admin.get(url)).json()
    assert (seen["changed"], len(seen["signatures"])) == (["documents"], 2)
    late = {"sha256": first["sha256"], "statement": "I too have read it."}
    clara = steward.as_("clara", "approver:north")
    assert "documents" in (await clara.post(f"{url}/approvals", json=late)).json()["detail"]
    gates = (await steward.admin.get(f"{ASSETS}/{retirement.system['id']}/gates")).json()["next"][0]
    assert {one["kind"] for one in gates["missing"]} == {"dossier", "dossier_signatures"}
    second = await seal(steward, retirement.system)
    assert (second["version"], second["signatures"], second["changed"]) == (2, [], [])
    assert second["sha256"] != first["sha256"]
    stale = await clara.post(f"{url}/approvals", json=late)
    assert (stale.status_code, stale.json()["sha256"]) == (409, second["sha256"])


async def test_two_people_sign_and_one_of_them_approves(retirement: Retirement) -> None:
    """Neither one person under two logins nor two operators; the digest that they sign goes into asset.retired."""
    await retirement.dispose()
    steward, url = retirement.steward, f"{ASSETS}/{retirement.system['id']}/dossier"
    dossier = await seal(steward, retirement.system)
    body = {"sha256": dossier["sha256"], "statement": "I have read it."}
    anna, bruno = steward.as_("anna", "operator:north", "approver:north"), steward.as_("bruno", "operator:north")
    assert (await anna.post(f"{url}/signatures", json=body)).status_code == 201
    for again in ("signatures", "approvals"):
        twice = await anna.post(f"{url}/{again}", json=body)
        assert (twice.status_code, "anna has signed" in twice.json()["detail"]) == (409, True)
    for site, login in (("north", "anna"), ("south", "a.berg")):
        await post(steward, PEOPLE, PERSON | {"site_id": site, "login": login})
    second = await steward.as_("a.berg", "approver:north").post(f"{url}/approvals", json=body)
    assert (second.status_code, "anna has signed" in second.json()["detail"]) == (409, True)
    assert (await bruno.post(f"{url}/approvals", json=body)).status_code == 403
    assert (await bruno.post(f"{url}/signatures", json=body)).status_code == 201
    refused = await retirement.ask_to_move(retirement.system, "closed")
    assert "signed by anna, bruno; one of them must be an approver" in refused.json()["detail"]
    assert (await steward.as_("clara", "approver:north").post(f"{url}/approvals", json=body)).status_code == 201
    closed = await retirement.ask_to_move(retirement.system, "closed")
    assert closed.status_code == 200, closed.text
    retired = await steward.heard.until("asset.retired", lambda event: event.data.kind == "system")
    assert retired.data.dossier_sha256 == dossier["sha256"]
    assert (await steward.admin.get(url)).json()["changed"] == []
    assert (await anna.post(f"{url}/signatures", json=body)).status_code == 409


async def test_dossier_of_what_is_not_disposed_of_is_refused(retirement: Retirement) -> None:
    """409 in every state before; 404 where there is none to see, and for who may not see the asset."""
    url = f"{ASSETS}/{retirement.system['id']}/dossier"
    refused = await retirement.steward.admin.post(url)
    assert (refused.status_code, "is in_service" in refused.json()["detail"]) == (409, True)
    for path in (url, f"{url}/file"):
        assert (await retirement.steward.admin.get(path)).status_code == 404
    sue = retirement.steward.as_("sue", "operator:south", "approver:south")
    body = {"sha256": "0" * 64, "statement": "x"}
    for answer in (
        await sue.get(url),
        await sue.post(url),
        await sue.post(f"{url}/signatures", json=body),
        await sue.post(f"{url}/approvals", json=body),
    ):
        assert answer.status_code == 404


async def test_medium_without_certificate_holds_the_system_up_by_name(retirement: Retirement) -> None:
    """At the gate and, where a medium turns up behind it, when the dossier is to be sealed."""
    await retirement.isolate()
    await retirement.sanitize(retirement.drives[:1])
    refused = await retirement.ask_to_move(retirement.system, "sanitized")
    assert refused.status_code == 409
    lacking = {one["kind"]: one["why"] for one in refused.json()["missing"]}
    assert lacking == dict.fromkeys(("sanitization_certificate", "sanitization_validated"), "missing for Drive 1")
    await retirement.sanitize(retirement.drives[1:], validated=False, validated_by=None)
    still = await retirement.ask_to_move(retirement.system, "sanitized")
    assert (still.status_code, "Drive 1" in still.text) == (409, True)


async def test_all_that_a_dossier_lacks_is_told_at_once(retirement: Retirement) -> None:
    """The drives of a system that was put into its state by hand: alive, without certificate, custody and manifest."""
    ids = [retirement.system["id"], retirement.drives[0]["id"], retirement.drives[1]["id"]]
    await retirement.steward.pools["inventory"].execute("UPDATE assets SET state = 'disposed' WHERE id = ANY($1)", ids)
    await retirement.sanitize(retirement.drives[:1], validated_by="vera")
    refused = await retirement.steward.admin.post(f"{ASSETS}/{retirement.system['id']}/dossier")
    assert refused.status_code == 409
    wanted = [
        "neither closed nor cancelled: Drive 0, Drive 1",
        "certificate of sanitization of Drive 0 (serial number ZX-0000): its certificate was not validated by another",
        "certificate of sanitization of Drive 1 (serial number ZX-0001): it has none",
        "custody: Drive 0: no custody is recorded; Drive 1: no custody is recorded",
        "on no recycler's manifest: Drive 0; Drive 1",
    ]
    found = refused.json()["missing"]
    assert [one for one, other in zip(wanted, found, strict=False) if not other.startswith(one)] == [], found


async def test_drive_that_left_its_system_behind_isolation_is_told_with_its_certificate(retirement: Retirement) -> None:
    """It serves elsewhere and goes to no recycler; that its data were removed stands in the dossier."""
    await retirement.isolate()
    left = retirement.drives.pop()
    url = f"/inventory/v1/components/{left['id']}"
    kept = {"name": left["name"], "manufacturer": left["manufacturer"], "serial": left["serial"], "media_type": "hdd"}
    moved = await retirement.steward.admin.put(url, json=kept, headers={"If-Match": f'"{left["version"]}"'})
    assert moved.status_code == 200, moved.text
    await retirement.finish([*retirement.drives, left])
    dossier = await seal(retirement.steward, retirement.system)
    file = await retirement.steward.admin.get(f"{ASSETS}/{retirement.system['id']}/dossier/file")
    manifest = json.loads(zipfile.ZipFile(io.BytesIO(file.content)).read("manifest.json"))
    assert dossier["changed"] == []
    assert [one["serial"] for one in manifest["media_left"]] == [left["serial"]]
    assert {one["medium_id"] for one in manifest["certificates"]} == {left["id"], retirement.drives[0]["id"]}
    assert {link["asset_id"] for link in manifest["custody"]} == {retirement.drives[0]["id"]}


async def test_medium_of_no_system_has_a_dossier_of_its_own(steward: Harness) -> None:
    """A spare drive: certified and validated by two, taken away, signed for by two; its end tells the digest."""
    drive = await register_drive(steward, {"site_id": "north", "id": None}, 0)
    drive = await move(steward, drive, "retiring", "migrated", "isolated", "sanitized")
    greenloop = await post(steward, RECYCLERS, GREENLOOP)
    away = told([drive], "picked_up", "IT store", "Greenloop Recycling", recycler_id=greenloop["id"])
    done(await steward.admin.post(CUSTODY, json=away))
    parts = [{"asset_id": drive["id"], "weight_kg": 0.72, "category": "it_equipment"}]
    manifest = {"recycler_id": greenloop["id"], "reference": "GL-118", "parts": parts}
    await post(steward, f"{ASSETS}/{drive['id']}/disposals", manifest)
    drive = await move(steward, drive, "disposed")
    assert await missing(steward, drive, "closed") == ["dossier", "dossier_signatures"]
    dossier = await seal(steward, drive)
    await sign(steward, drive)
    await move(steward, drive, "closed")
    retired = await steward.heard.until("asset.retired")
    assert (retired.subject, retired.data.dossier_sha256) == (drive["id"], dossier["sha256"])


async def test_large_documents_need_no_memory(retirement: Retirement, tmp_path: Path) -> None:
    """Sealed, sent and read with a third of what they take: a piece at a time is held, beside the PDF that is made."""
    size = 24 * 1024 * 1024
    await retirement.dispose()
    await retirement.steward.heard.until("disposal.recorded")
    steward, system = retirement.steward, retirement.system
    fields = {"site_id": "north", "kind": "report", "title": "A long report", "asset_ids": [system["id"]]}
    content = b"A line of a report that is long\n" * (size // 32)
    done(await steward.admin.post("/inventory/v1/documents", data=fields, files={"file": ("long.txt", content)}))
    await retirement.all_told()
    pool, file = steward.pools["inventory"], tmp_path / "dossier.zip"
    await seal(steward, system)
    tracemalloc.start()
    try:
        await handlers.prepare(pool, system["id"], "alice", datetime.now(UTC))
        async with pool.acquire() as conn:
            dossier = await handlers.find_dossier(conn, await find_asset(conn, system["id"]))
        with file.open("wb") as out:
            async for piece in handlers.stream_dossier(pool, dossier):
                out.write(piece)
        with file.open("rb") as sealed:
            assert read_package(sealed).digest == dossier.sha256
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert file.stat().st_size == dossier.size > size
    assert peak < size / 3, f"{peak / 2**20:.1f} MiB"
