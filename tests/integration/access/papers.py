"""What is written of a site: a document with an SBOM, an MDS2 form, and an entry of its approved list."""

from typing import Any

import httpx

from tests.integration.inventory.documents.files import uploaded
from tests.unit.inventory.software.boms import mds2_json, sbom

INVENTORY = "/inventory/v1"


async def write_papers(root: httpx.AsyncClient, site_id: str, system_id: str) -> dict[str, str]:
    """Uploads both and takes them for the site's system; the ids of what was made."""
    of_it: dict[str, Any] = {"site_id": site_id, "title": f"Secret document {site_id}", "asset_ids": [system_id]}
    listed = await uploaded(
        root, sbom({"type": "file", "name": f"Secret fix {site_id}"}), "bom.json", **of_it, kind="sbom"
    )
    answered = await uploaded(root, mds2_json(), "mds2.json", **of_it, kind="mds2")
    for document, what in ((listed, "software"), (answered, "mds2")):
        body = {"document_id": document["id"]}
        taken = await root.post(f"{INVENTORY}/assets/{system_id}/{what}", json=body)
        assert taken.is_success, taken.text
    entry = await root.post(
        f"{INVENTORY}/approved-software", json={"site_id": site_id, "name": f"Secret fix {site_id}"}
    )
    assert entry.is_success, entry.text
    document_id = listed["id"]
    form = {"kind": "nodes", "site_id": site_id}
    file = {"file": (f"Secret list {site_id}", b"id\n")}
    taken_in = await root.post(f"{INVENTORY}/imports", data=form, files=file)
    assert taken_in.is_success, taken_in.text
    return {
        "import_id": taken_in.json()["id"],
        "document_id": document_id,
        "document_version": "1",
        "approval_id": entry.json()["id"],
    }
