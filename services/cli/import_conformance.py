"""`steward import conformance`: what a live node negotiates, kept as a document of its system."""

import json
import time
from typing import TYPE_CHECKING, Any

import click

from services.cli.rest import api, ask

if TYPE_CHECKING:
    import httpx

INVENTORY, PROBES = "/inventory/v1", "/probes/v1"
POLL_SECONDS = 0.3


@click.command("conformance")
@click.argument("node_id", metavar="NODE")
@click.option("--wait", type=float, default=900.0, show_default=True, help="Seconds to wait for the negotiation.")
def import_conformance(node_id: str, wait: float) -> None:
    """Negotiate with all nodes of NODE's system, and keep what NODE accepts as a document of the system.

    NODE is its id. The matrix is a document of the kind conformance; taken again, it is the document's next version,
    or none where the node says the same.
    """
    with api() as client:
        node = ask(client, "GET", f"{INVENTORY}/nodes/{node_id}")
        run = _tried(client, node["system_id"], wait)
        page = ask(client, "GET", f"{PROBES}/conformance", params={"suite_run_id": run["id"], "subject": node_id})
        if not page["items"]:
            raise click.ClickException(f"{node['name']} negotiated nothing: the run {run['id']} ended {run['outcome']}")
        matrices = [ask(client, "GET", f"{PROBES}/conformance/{one['id']}") for one in page["items"]]
        click.echo(_keep(client, node, run, matrices))


def _tried(client: "httpx.Client", system_id: str, wait: float) -> dict[str, Any]:
    """A run of the suite that negotiates, once it is over."""
    body = {"suite_id": "compatibility", "system_id": system_id, "reason": "Import of conformance"}
    run: dict[str, Any] = ask(client, "POST", f"{PROBES}/suite-runs", json=body)
    deadline = time.monotonic() + wait
    while run["state"] != "done":
        if time.monotonic() > deadline:
            raise click.ClickException(f"the run {run['id']} has not ended after {wait:g} s")
        time.sleep(POLL_SECONDS)
        run = ask(client, "GET", f"{PROBES}/suite-runs/{run['id']}")
    return run


def _keep(client: "httpx.Client", node: dict[str, Any], run: dict[str, Any], matrices: list[dict[str, Any]]) -> str:
    title = f"Conformance of {node['ae_title']} at {node['host']}:{node['port']}"
    told = [_lasting(one) for one in matrices]
    content = json.dumps({"node_id": node["id"], "title": title, "matrices": told}, indent=1, sort_keys=True).encode()
    file = {"file": ("conformance.json", content)}
    asked = {"kind": "conformance", "asset_id": node["system_id"], "limit": "500"}
    listed = ask(client, "GET", f"{INVENTORY}/documents", params=asked)["items"]
    before = next((one for one in listed if one["title"] == title), None)
    if before is None:
        form = {"site_id": node["site_id"], "kind": "conformance", "title": title, "asset_ids": node["system_id"]}
        made = ask(client, "POST", f"{INVENTORY}/documents", data=form, files=file)
        return f"document {made['id']}: {title}, negotiated by run {run['id']}"
    import hashlib

    if before["sha256"] == hashlib.sha256(content).hexdigest():
        return f"document {before['id']} says the same already: version {before['version']}"
    headers = {"If-Match": f'"{before["version"]}"'}
    made = ask(client, "POST", f"{INVENTORY}/documents/{before['id']}/versions", files=file, headers=headers)
    return f"document {made['id']}: {title}, version {made['version']}, negotiated by run {run['id']}"


def _lasting(matrix: dict[str, Any]) -> dict[str, Any]:
    """What a node says, without when and in which run it was asked."""
    return {name: value for name, value in matrix.items() if name not in ("id", "run_id", "taken_at", "position")}
