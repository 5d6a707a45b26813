"""All six services that own data, with two hospitals in them, and the list of their routes."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.routing import Mount

from services.compliance.__main__ import build as build_compliance
from services.compliance.settings import ComplianceSettings
from services.inventory.__main__ import build as build_inventory
from services.inventory.settings import InventorySettings
from services.maintenance.__main__ import build as build_maintenance
from services.maintenance.settings import MaintenanceSettings
from shared.database import Pool
from shared.grants import Role
from shared.http.call import RoleRequired
from shared.transactions import new_id
from tests.harness import Harness
from tests.integration.access.gates import write_evidence
from tests.integration.access.papers import write_papers
from tests.integration.backup.machine import Machine
from tests.integration.compliance.log.live import signed
from tests.integration.conftest import Run
from tests.integration.inventory.documents.files import PDF
from tests.integration.notifier.stage import notifier
from tests.integration.probes.fleet import probes
from tests.news import until
from tests.parts.smtp import SmtpServer

SITES = ("north", "south")
EVERYTHING = ("group-admin:*", "auditor:*", "approver:*")
BUNDLES = "/v1/log/tile"
GROUP_WIDE = ("/v1/keys", "/v1/quarantine", BUNDLES, "/v1/retention")
SHARED = (
    *("/v1/groups", "/v1/fields", "/v1/vendors", "/v1/products", "/v1/product-versions", "/v1/policies"),
    *("/v1/recyclers", "/v1/end-rules"),
)
ITI_81 = "/v1/fhir/AuditEvent"
RETENTION = "/compliance/v1/retention"
HOLD = """INSERT INTO quarantine (id, topic, partition, "offset", raw, reason, quarantined_at)
          VALUES ($1, 'patch.applied', 0, 7, 'spoilt', 'it is no JSON', now())"""
AGENT = """INSERT INTO agents (name, site_ids, last_seen, clock_offset_ms, waiting, lost, quarantined)
           VALUES ($1, $2, now(), 0, 0, 0, 0)"""
BASELINE = "INSERT INTO baselines VALUES ($1, 'dimse', -1, '{20, 30, 40}', now())"
MATRIX = """INSERT INTO conformance
           SELECT $1, id, 0, NULL, 'Secret node ' || site_id, site_id, 'SECRET', 'STEWARD', now(), 0, 0, 0, '[]'
           FROM suite_runs WHERE id = $2"""
ORDER = """INSERT INTO replacement_orders
           VALUES ($1, $2, $3, 'Secret part ' || $3, 'drive', 'due', '2030-01-01', '2029-10-01', 'age', 'bought', NULL,
                   NULL, NULL, 1)"""
FIELD = {"component_type": "server", "name": "bay", "label": "Bay", "kind": "text"}
DOSSIER = """WITH sealed AS (
               INSERT INTO dossiers VALUES ($1, $2, $3, 1, 'Secret digest ' || $3, '', '{}', '%PDF', 6, 'alice', now())
               RETURNING id)
             INSERT INTO dossier_files
             SELECT id, n, path, size, digest || $3, 0
             FROM sealed, (VALUES (0, 'manifest.json', 2, 'Secret digest '),
                                        (1, 'dossier.pdf', 4, 'PDF ')) f (n, path, size, digest)"""
HELD = "0199c3f2-7a51-7c3e-9d55-000000000001"
EXPECTED: Mapping[str, str] = {
    "maintenance": "SELECT count(*) = 2 FROM systems",
    "probes": "SELECT count(*) = 4 FROM alerts",
    "backup": "SELECT count(*) = 2 FROM systems",
    "notifier": "SELECT count(DISTINCT n.site_id) = 2 FROM deliveries d JOIN notices n ON n.id = d.notice_id",
    "compliance": """SELECT count(*) = 2 FROM days d JOIN types t ON t.number = d.type
                     WHERE t.type = 'window.scheduled'""",
}
"""What each service must have heard before the tests ask."""


@dataclass(frozen=True)
class Endpoint:
    """One method of one address: the role that it declares, its query parameters, the needed ones, an example body."""

    service: str
    method: str
    path: str
    role: Role
    query: frozenset[str]
    required: frozenset[str]
    example: Mapping[str, Any] | None
    form: Mapping[str, Any] | None = None
    """The example of the fields beside a file, where the route takes a form."""

    @property
    def is_group_wide(self) -> bool:
        """Whether what it tells belongs to no single site."""
        return self.path.startswith(GROUP_WIDE)

    @property
    def is_openly_refused(self) -> bool:
        """Whether all who may ask know that it is there: the log is everybody's, and a bundle of it is every site's."""
        return self.path.startswith(BUNDLES)

    @property
    def is_shared(self) -> bool:
        """Whether what it is about belongs to the group, and is for all to see and for few to change."""
        return self.path.startswith(SHARED)

    @property
    def is_list(self) -> bool:
        """Whether it lists what the caller may see; what its query must name, it is about."""
        return self.method == "GET" and "{" not in self.path and "before" not in self.required

    @property
    def is_bulk(self) -> bool:
        """Whether each row has an answer of its own."""
        return self.path.endswith("/bulk")

    @property
    def parameters(self) -> list[str]:
        """The names of what stands in the address."""
        return re.findall(r"{(\w+)}", self.path)

    def __str__(self) -> str:
        return f"{self.method} /{self.service}{self.path}"


@dataclass(frozen=True)
class Group:
    """The running services, and by site the ids of what is there, under the names of the routes' parameters."""

    steward: Harness
    ids: Mapping[str, Mapping[str, str]]

    @property
    def endpoints(self) -> list[Endpoint]:
        """All that can be asked, from the applications' own tables."""
        app = cast(Starlette, cast(Any, self.steward.http._transport).app)
        return [e for mount in app.routes if isinstance(mount, Mount) for e in _endpoints(mount)]

    @staticmethod
    def names(site_id: str) -> list[str]:
        """How the things of a site are called, and none of another."""
        things = (
            "hospital",
            "archive",
            "version",
            "node",
            "person",
            "work",
            "contact",
            "fix",
            "check",
            "suite",
            "component",
            "serial",
            "contract",
            "document",
            "statement",
            "list",
            "waiver",
        )
        return [f"Secret {thing} {site_id}" for thing in things]

    async def ask(
        self, who: httpx.AsyncClient, endpoint: Endpoint, ids: Mapping[str, str], **query: str
    ) -> httpx.Response:
        """What ``who`` is answered about the things of these ids; what is to be changed has no such version."""
        url = f"/{endpoint.service}{endpoint.path.format_map(ids)}"
        headers = {"If-Match": '"999"'}
        needed = {name: ids[name] for name in endpoint.required}
        if endpoint.form is not None:
            return await who.request(
                endpoint.method, url, params=needed | query, headers=headers, **form_of(endpoint.form, ids)
            )
        return await who.request(
            endpoint.method, url, params=needed | query, json=body_of(endpoint, ids), headers=headers
        )


def body_of(endpoint: Endpoint, ids: Mapping[str, str]) -> dict[str, Any] | None:
    """The example of the route's body, about the things of these ids."""
    if endpoint.example is None:
        return None
    return _fill(endpoint.example, _fitting(ids))


def form_of(example: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """The example of a route's form, about the things of these ids, with a file."""
    file = ("secret.csv", b"id\n") if "dry_run" in example else ("secret.pdf", PDF)
    return {"data": _fill(example, _fitting(ids)), "files": {"file": file}}


def _fitting(ids: Mapping[str, str]) -> dict[str, Any]:
    starts_at = datetime.now(UTC) + timedelta(days=30)
    return {
        "system_ids": [ids["system_id"]],
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(hours=1)).isoformat(),
        "expires_at": starts_at.isoformat(),
        "asset_ids": [ids["asset_id"]],
        "applied_at": None,
        **ids,
    }


def _fill(example: Mapping[str, Any], fitting: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: [_fill(row, fitting) for row in value] if name == "rows" else fitting.get(name, value)
        for name, value in example.items()
    }


def _endpoints(mount: Mount) -> Iterator[Endpoint]:
    app = cast(FastAPI, mount.app)
    described: dict[str, Any] = app.openapi()["paths"]
    for route in app.routes:
        if not isinstance(route, APIRoute) or route.path_format not in described:
            continue
        for method in route.methods or ():
            operation = described[route.path_format][method.lower()]
            parameters = operation.get("parameters", ())
            yield Endpoint(
                mount.path.removeprefix("/"),
                method,
                route.path_format,
                next(d.call.role for d in route.dependant.dependencies if isinstance(d.call, RoleRequired)),
                frozenset(p["name"] for p in parameters if p["in"] == "query"),
                frozenset(p["name"] for p in parameters if p["in"] == "query" and p["required"])
                | ({"date"} if route.path_format == ITI_81 else set()),
                _example_of(route),
                _form_of(operation),
            )


def _form_of(operation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {})
    return cast(Mapping[str, Any] | None, content.get("multipart/form-data", {}).get("example"))


def _example_of(route: APIRoute) -> Mapping[str, Any] | None:
    if route.body_field is None:
        return None
    model = cast(Any, route.body_field.field_info.annotation)
    return cast(Mapping[str, Any], model.model_config["json_schema_extra"]["examples"][0])


@asynccontextmanager
async def two_hospitals(run: Run, machine: Machine, mail_server: SmtpServer) -> AsyncIterator[Group]:
    """Both hospitals have one of everything; what belongs to the group has the same id for both."""
    started: dict[str, Any] = {
        "inventory": (build_inventory, InventorySettings, {}),
        "maintenance": (build_maintenance, MaintenanceSettings, {}),
        "compliance": (build_compliance, ComplianceSettings, signed(machine.folder)),
        "backup": machine.services()["backup"],
        **probes(alert_failures=1),
        **notifier(mail_server),
    }
    async with run(**started) as steward, steward.as_("root", *EVERYTHING) as root:
        catalogue = await _catalogue(root)
        ids = {site: catalogue | await _register(root, site, catalogue) for site in SITES}
        for service in ("maintenance", "backup"):
            await until(steward.pools[service], EXPECTED[service])
        await until(steward.pools["probes"], "SELECT count(*) = 6 FROM assets")
        for site in SITES:
            ids[site] |= await _work(root, ids[site], str(machine.archive))
        for service, query in EXPECTED.items():
            await until(steward.pools[service], query, sites="*")
        for pool in steward.pools.values():
            await pool.execute(HOLD, HELD)
        key = await _post(root, "/compliance/v1/keys", {"name": "robot", "grants": ["viewer:north"], **_soon()})
        policy = await _post(root, f"{RETENTION}/policies", {"type": "patch.applied", "days": 5000})
        region = await _post(root, "/inventory/v1/groups", {"name": "Western region"})
        field = await _post(root, "/inventory/v1/fields", FIELD)
        hold = await _post(root, f"{RETENTION}/holds", {"type": "patch.applied", "reason": "a case"})
        for site in SITES:
            ids[site] |= {"policy_id": policy["id"], "hold_id": hold["id"], "group_id": region["id"]}
            ids[site] |= {"field_id": field["id"]}
            entries = await root.get("/compliance/v1/events", params={"site_id": site, "limit": 1})
            [newest] = entries.json()["items"]
            index = str(newest["index"])
            ids[site] |= {"index": index, "correlation_id": newest["event"]["correlationid"], "format": "ndjson"}
            ids[site] |= {"date": "ge2026-01-01", "old": "1", "resource": "entries/000.p/1"}
            ids[site] |= {"agent": f"agent-{site}"}
            ids[site] |= {"at": "2026-01-02T00:00:00Z"}
            ids[site] |= {"since": "2026-01-01T00:00:00Z", "until": "2026-01-03T00:00:00Z"}
            ids[site] |= {"before": ids[site]["system_id"], "after": ids[site]["system_id"]}
            await steward.pools["inventory"].execute(DOSSIER, new_id(), ids[site]["asset_id"], site)
            ids[site] |= {"order_id": new_id(), "component_type": "drive"}
            await steward.pools["inventory"].execute(ORDER, ids[site]["order_id"], ids[site]["system_id"], site)
            await steward.pools["probes"].execute(AGENT, ids[site]["agent"], [site])
            await steward.pools["probes"].execute(BASELINE, ids[site]["probe_id"])
            ids[site] |= await _tried(steward.pools["probes"], ids[site]["suite_run_id"])
            ids[site] |= {"key_id": key["id"], "held_id": HELD, "name": f"another_at_{site}"}
            await until(steward.pools["compliance"], "SELECT max(size) > $1 FROM checkpoints", int(index))
        yield Group(steward, ids)


async def _catalogue(root: httpx.AsyncClient) -> dict[str, str]:
    inventory = "/inventory/v1"
    vendor = await _post(root, f"{inventory}/vendors", {"name": "Northlight Imaging"})
    sold = {"vendor_id": vendor["id"], "name": "Archive One", "type": "system"}
    product = await _post(root, f"{inventory}/products", sold)
    version = await _post(root, f"{inventory}/product-versions", {"product_id": product["id"], "number": "5"})
    certificate = {"certification": "R2v3", "number": "1", "valid_from": "2000-01-01", "valid_until": "2100-01-01"}
    recycler = await _post(root, f"{inventory}/recyclers", {"name": "Greenloop", "certificates": [certificate]})
    return {
        "recycler_id": recycler["id"],
        "vendor_id": vendor["id"],
        "product_id": product["id"],
        "version_id": version["id"],
    }


async def _register(root: httpx.AsyncClient, site: str, catalogue: Mapping[str, str]) -> dict[str, str]:
    inventory = "/inventory/v1"
    await _post(root, f"{inventory}/sites", {"id": site, "name": f"Secret hospital {site}", "time_zone": "UTC"})
    software = {"vendor": "V", "product": "P", "version": f"Secret version {site}"}
    system = await _post(
        root, f"{inventory}/systems", {"site_id": site, "name": f"Secret archive {site}", "software": software}
    )
    address = {"ae_title": "SECRET", "host": f"secret-{site}.invalid", "port": 104, "role": "archive"}
    node = await _post(
        root, f"{inventory}/nodes", {"system_id": system["id"], "name": f"Secret node {site}", **address}
    )
    person = {"site_id": site, "name": f"Secret person {site}", "email": f"secret@{site}.example", "roles": ["admin"]}
    ids = {"id": site, "site_id": site, "system_id": system["id"], "asset_id": system["id"], "node_id": node["id"]}
    ids |= {"person_id": (await _post(root, f"{inventory}/people", person))["id"]}
    part = {"site_id": site, "type": "ups", "name": f"Secret component {site}", "serial": f"Secret serial {site}"}
    ids |= {"component_id": (await _post(root, f"{inventory}/components", part))["id"]}
    agreed = {"site_id": site, "kind": "warranty", "vendor_id": catalogue["vendor_id"], "asset_ids": [system["id"]]}
    days = {"number": f"Secret contract {site}", "starts": "2026-01-01", "ends": "2100-12-31"}
    ids |= {"contract_id": (await _post(root, f"{inventory}/contracts", agreed | days))["id"]}
    ends = {"from_id": node["id"], "to_id": system["id"]}
    ids |= await write_papers(root, site, system["id"]) | await write_evidence(root, site, system["id"])
    return ids | ends | {"link_id": (await _post(root, f"{inventory}/links", {"kind": "backs_up_to", **ends}))["id"]}


async def _work(root: httpx.AsyncClient, ids: Mapping[str, str], folder: str) -> dict[str, str]:
    site, system_id = ids["site_id"], ids["system_id"]
    plan = {"title": f"Secret work {site}", "reason": "r", "impact": "OUTAGE", "contact": f"Secret contact {site}"}
    starts = datetime.now(UTC) + timedelta(days=3)
    times = {"starts_at": starts.isoformat(), "ends_at": (starts + timedelta(hours=1)).isoformat()}
    window = await _post(root, "/maintenance/v1/windows", {"site_id": site, "system_ids": [system_id], **plan, **times})
    patch = await _post(
        root, "/maintenance/v1/patches", {"system_id": system_id, "to_version": "2", "summary": f"Secret fix {site}"}
    )
    protected = {"system_id": system_id, "scope": "config", "path": folder, "repository": f"secret-{site}"}
    made = await _post(root, "/backup/v1/sets", protected)
    echo = {"host": f"secret-{site}.invalid", "port": 104, "ae_title": "SECRET"}
    asked = {"subject": ids["node_id"], "kind": "dicom-echo", "name": f"Secret check {site}", "enabled": False}
    check = await _post(root, "/probes/v1/checks", {**asked, "settings": echo})
    noticed = {"site_id": site, "system_id": system_id, "summary": f"Secret work {site}"}
    report = await _post(root, "/probes/v1/reports", noticed)
    run = await _post(root, f"/backup/v1/sets/{made['id']}/runs", None)
    item = {"name": "answers", "function": "connectivity", "interface": "archive", "kind": "dicom-echo"}
    sought = {"site_id": site, "name": f"Secret suite {site}", "purpose": "other", "items": [item]}
    suite = await _post(root, "/probes/v1/suites", sought)
    tried = await _post(
        root, "/probes/v1/suite-runs", {"suite_id": suite["id"], "system_id": system_id, "reason": f"Secret fix {site}"}
    )
    return {
        "window_id": window["id"],
        "patch_id": patch["id"],
        "set_id": made["id"],
        "run_id": run["id"],
        "path": folder,
        "check_id": check["id"],
        "probe_id": f"dicom-echo:{ids['node_id']}",
        "measure": "dimse",
        "report_id": report["id"],
        "alert_id": report["alert_id"],
        "subject": ids["node_id"],
        "suite_id": suite["id"],
        "suite_run_id": tried["id"],
    }


async def _tried(probes: Pool, run_id: str) -> dict[str, str]:
    """The run of a suite once it is over: its report, and a matrix."""
    await until(probes, "SELECT state = 'done' FROM suite_runs WHERE id = $1", run_id)
    matrix_id = new_id()
    await probes.execute(MATRIX, matrix_id, run_id)
    report = await probes.fetchval("SELECT report FROM suite_runs WHERE id = $1", run_id)
    return {"sha256": report, "matrix_id": matrix_id}


async def _post(root: httpx.AsyncClient, url: str, body: Any) -> dict[str, Any]:
    answer = await root.post(url, json=body)
    assert answer.is_success, f"{url}: {answer.text}"
    made: dict[str, Any] = answer.json()
    return made


def _soon() -> dict[str, str]:
    return {"expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
