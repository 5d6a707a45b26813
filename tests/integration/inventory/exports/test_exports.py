"""All that the group has comes out as files, and an import of them finds everything as it is."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zipfile import ZipFile

import httpx
from openpyxl import load_workbook

from services.inventory.exports.columns import COLUMNS, ONLY_TOLD
from services.inventory.exports.handlers import KINDS
from tests.harness import Harness
from tests.integration.inventory.documents.files import uploaded
from tests.integration.inventory.imports.taking import counts, over, rows_of, send

V1 = "/inventory/v1"
EXPORTS = f"{V1}/exports"
SUPPORT = {"state": "ends_on", "on": "2028-12-31", "source": "=LN|2025;\\11", "stated_on": "2025-11-03"}


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    """What was made."""
    answer = await client.post(f"{V1}/{path}", json=body)
    assert answer.is_success, f"{path}: {answer.text}"
    made: dict[str, Any] = answer.json()
    return made


async def furnish(steward: Harness) -> dict[str, str]:
    """One of everything, with facts that a spreadsheet or a careless reader would spoil; ids of some."""
    async with steward.admin as admin:
        vendor, product = await furnish_group(admin)
        system, server, drive = await furnish_assets(admin, product)
        await furnish_papers(admin, vendor, [system, server])
        await post(admin, f"assets/{drive}/usage", counter="power_on_hours", value=31245.25)
        await uploaded(admin, asset_ids=drive)
        await tell_of_a_life(admin, drive)
        return {"system": system, "drive": drive}


async def furnish_group(admin: httpx.AsyncClient) -> tuple[str, str]:
    """Groups, a site, a vendor with its product, custom fields; the ids of vendor and product."""
    region = await post(admin, "groups", name="@West; \"quoted\", 'region'")
    await post(admin, "groups", name="-", parent_id=region["id"])
    site = (await admin.get(f"{V1}/sites/north")).json()
    place = {"latitude": -54.5, "longitude": 9.25, "group_id": region["id"], "address": "=1+2, Harbour Road"}
    body = {"name": site["name"], "time_zone": site["time_zone"], **place}
    assert (await admin.put(f"{V1}/sites/north", json=body, headers={"If-Match": '"1"'})).is_success
    vendor = await post(admin, "vendors", name="Nørdlicht | Söhne", aliases=["A|B", "C\\D", "-"])
    sold = {"vendor_id": vendor["id"], "name": "+Archive", "type": "system", "support": SUPPORT}
    product = await post(admin, "products", **sold)
    await post(admin, "product-versions", product_id=product["id"], number="5.0", support={"state": "unknown"})
    number = {"component_type": "server", "name": "units", "label": "Units", "kind": "number"}
    await post(admin, "fields", **number)
    await post(admin, "fields", **number | {"name": "moved", "kind": "date"})
    return vendor["id"], product["id"]


async def furnish_assets(admin: httpx.AsyncClient, product: str) -> tuple[str, str, str]:
    """Systems, nodes, components and links; the ids of a system, its server and a drive."""
    runs = {"vendor": "V", "product": "P", "version": "007"}
    system = await post(admin, "systems", site_id="north", name="North archive", software=runs)
    staging = {"environment": "staging", "mirrors": system["id"]}
    await post(admin, "systems", site_id="north", name="Staging", software=runs, **staging)
    node = {"system_id": system["id"], "ae_title": "=PACS", "host": "10.0.0.1", "port": 104, "role": "archive"}
    first = await post(admin, "nodes", name="Storage", cluster="c", cluster_role="member", **node)
    second = await post(admin, "nodes", name="'Storage", **node | {"port": 105})
    server = await post(
        admin,
        "components",
        site_id="north",
        type="server",
        name="Same name",
        serial="0012",
        purchase_date="2024-03-04",
        system_id=system["id"],
        capacity_bytes=2**62,
        fields={"units": 4.5, "moved": "2025-01-02"},
    )
    twin = {"site_id": "north", "type": "drive", "name": "Same name", "installed_in": server["id"]}
    await post(admin, "components", **twin)
    drive = await post(admin, "components", **twin, asset_tag="-7", product_id=product)
    ends = {"from_id": first["id"], "to_id": second["id"]}
    await post(admin, "links", kind="dicom", services=["storage", "query"], note="=x", **ends)
    for label in ("N-1", "N-2"):
        cable = {"from_port": label, "to_port": label, "label": label, "length_m": 3.5}
        await post(admin, "links", kind="connected_to", from_id=server["id"], to_id=system["id"], cable=cable)
    return system["id"], server["id"], drive["id"]


async def furnish_papers(admin: httpx.AsyncClient, vendor: str, assets: list[str]) -> None:
    """Contracts and a person."""
    level = {"name": "Desk", "phone": "+31 20", "hours": "24/7", "time_zone": "UTC", "response_minutes": 60}
    agreed = {
        "site_id": "north",
        "kind": "support",
        "vendor_id": vendor,
        "number": "=1",
        "escalation": [level],
    }
    days = {"starts": "2026-01-01", "ends": "2100-12-31", "asset_ids": assets}
    await post(admin, "contracts", **agreed, **days)
    lasting = {"starts": "2026-01-01", "review_on": "2100-12-31", "contact": {"name": "A", "email": "a@b.example"}}
    await post(admin, "contracts", **agreed | {"site_id": "group"}, **lasting)
    skilled = {"name": "A", "level": "trained", "since": "2025-04-01"}
    person = {"email": "ada@north.example.org", "roles": ["admin", "clinician"], "phone": "+49 30 555 01-23"}
    await post(admin, "people", site_id="north", name="Ada", **person, competences=[skilled], login="=ada")


async def tell_of_a_life(admin: httpx.AsyncClient, drive: str) -> None:
    """What is exported only: approved software, a rule, a recycler, a step, evidence, a waiver and a hand-over."""
    await post(admin, "approved-software", site_id="north", name="=Postgre*")
    certificate = {"certification": "R2v3", "number": "=R2", "valid_from": "2025-09-01", "valid_until": "2098-08-31"}
    await post(admin, "recyclers", name="@Greenloop", certificates=[certificate])
    rule = {"rule": {"max_age_months": 1}}
    assert (await admin.put(f"{V1}/end-rules/drive", json=rule, headers={"If-Match": '"0"'})).is_success
    ends = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    await post(admin, f"assets/{drive}/waivers", kind="capacity_forecast", reason="=later", expires_at=ends)
    await post(admin, f"assets/{drive}/evidence", kind="access_revoked", statement="=all of it")
    moved = {"to": "retiring", "reason": "+worn"}
    stands = (await admin.get(f"{V1}/assets/{drive}")).headers["etag"]
    answer = await admin.post(f"{V1}/assets/{drive}/transitions", json=moved, headers={"If-Match": stands})
    assert answer.is_success, answer.text
    await post(
        admin,
        "custody",
        asset_ids=[drive],
        kind="moved",
        from_holder="IT store",
        to_holder="-shelf",
        at=datetime.now(UTC).isoformat(),
        place="cellar",
        person="Ada",
    )


async def test_all_that_is_only_told_is_told(steward: Harness) -> None:
    """Each kind has its row, and only of sites that the caller sees."""
    ids = await furnish(steward)
    async with steward.admin as admin:
        for kind in ONLY_TOLD:
            if kind in ("replacement_orders", "disposals"):
                continue
            exported = await admin.get(f"{EXPORTS}/{kind}", params={"format": "ndjson"})
            [row] = [json.loads(line) for line in exported.text.splitlines()]
            about = {"transitions", "evidence", "waivers", "custody"}
            assert row.get("asset") == (ids["drive"] if kind in about else None), kind
            assert kind not in about or row["site"] == "north"


async def test_what_was_exported_is_the_same_when_it_is_imported(steward: Harness) -> None:
    """Every row of every kind, as CSV, as a workbook and all of them at once; nothing is made, changed or refused."""
    await furnish(steward)
    async with steward.admin as admin:
        for kind in [*COLUMNS, "all"]:
            for format in ("csv", "xlsx") if kind != "all" else ("zip",):
                asked = {} if kind == "all" else {"format": format}
                exported = await admin.get(f"{EXPORTS}/{kind}", params=asked)
                assert exported.status_code == 200, exported.text
                ended = await over(steward, admin, await send(admin, exported.content, kind, format=format))
                told = f"{kind} {format}: {ended['fault']} {await rows_of(admin, ended['id'])}"
                assert ended["state"] == "done", told
                assert ended["same"] == ended["rows_read"] > 0, told


async def test_no_cell_is_carried_out_by_a_spreadsheet(steward: Harness) -> None:
    """Whatever begins like a formula has a quote before it, in each format that a spreadsheet opens."""
    await furnish(steward)
    async with steward.admin as admin:
        packed = (await admin.get(f"{EXPORTS}/all")).content
        with ZipFile(io.BytesIO(packed)) as archive:
            assert sorted(archive.namelist()) == sorted(f"{kind}.csv" for kind in KINDS)
            for name in archive.namelist():
                for row in csv.reader(archive.read(name).decode("utf-8-sig").splitlines()):
                    for cell in row:
                        assert not cell.startswith(("=", "@", "+", "\t", "\r")), (name, cell)
                        assert not cell.startswith("-") or float(cell), (name, cell)
        raw = (await admin.get(f"{EXPORTS}/nodes", params={"format": "xlsx"})).content
        book = load_workbook(io.BytesIO(raw))
        assert {cell.data_type for row in book.worksheets[0] for cell in row if cell.value} == {"s"}


async def test_exports_end_at_the_sites_of_who_asks(steward: Harness) -> None:
    """Nothing of north is in a file for south, and what all share is."""
    ids = await furnish(steward)
    async with steward.as_("sam", "viewer:south") as sam:
        for kind in KINDS:
            lines = (await sam.get(f"{EXPORTS}/{kind}", params={"format": "ndjson"})).text.splitlines()
            rows = [json.loads(line) for line in lines]
            assert {row.get("site") for row in rows} <= {None, "south", "group"}, kind
            assert ids["system"] not in json.dumps(rows), kind
            assert bool(rows) == (
                kind
                in (
                    "groups",
                    "sites",
                    "vendors",
                    "products",
                    "product_versions",
                    "fields",
                    "contracts",
                    "recyclers",
                    "end_rules",
                )
            ), kind


async def test_an_empty_inventory_is_a_file_too(steward: Harness) -> None:
    """Its first line names the columns, and an import of it does nothing."""
    async with steward.admin as admin:
        exported = await admin.get(f"{EXPORTS}/components")
        assert len(exported.text.splitlines()) == 1
        ended = await over(steward, admin, await send(admin, exported.content, "components"))
        assert (ended["state"], counts(ended)) == ("done", (0, 0, 0, 0))
