"""A group of two hospitals that answers like the services do, in their own models, and can be made to fail in parts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from services.backup.runs.domain import Run
from services.compliance.search.domain import AuditedEvent
from services.inventory.assets.domain import Node, Software, System
from services.inventory.endoflife.domain import ReplacementOrder
from services.inventory.sites.domain import Site
from services.maintenance.windows.domain import Window
from services.probes.alerts.records import Alert, Standing
from services.probes.history.domain import Result
from services.probes.reports.domain import Report
from services.probes.targets.domain import Target
from shared.events.maintenance import SystemRef
from shared.transactions import new_id

NOW = datetime.now(UTC).replace(microsecond=0)
SITES, SYSTEMS, NODES = "/inventory/v1/sites", "/inventory/v1/systems", "/inventory/v1/nodes"
TARGETS, ALERTS = "/probes/v1/targets", "/probes/v1/alerts"
STANDINGS, REPORTS = "/probes/v1/standings", "/probes/v1/reports"
ORDERS = "/inventory/v1/replacement-orders"
WINDOWS, RUNS, EVENTS = "/maintenance/v1/windows", "/backup/v1/runs", "/compliance/v1/events"
PATHS = (SITES, SYSTEMS, NODES, ORDERS, TARGETS, ALERTS, STANDINGS, REPORTS, WINDOWS, RUNS, EVENTS)


@dataclass
class Group:
    """Serves ``lists`` by path. A path in ``hanging`` never answers; one in ``failing`` answers with that status."""

    lists: dict[str, Sequence[BaseModel | dict[str, Any]]] = field(default_factory=lambda: dict.fromkeys(PATHS, ()))
    failing: dict[str, int] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    tokens: set[str | None] = field(default_factory=set)
    page: int = 1000

    def lists_as_json(self, path: str) -> list[dict[str, Any]]:
        """The items of a path as they are sent."""
        items = self.lists[path]
        return [item.model_dump(mode="json") if isinstance(item, BaseModel) else item for item in items]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(Request(scope)))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        self.tokens.add(request.headers.get("authorization"))
        if path in self.hanging:
            await asyncio.Event().wait()
        if path in self.failing:
            return JSONResponse({"title": "no"}, self.failing[path])
        start = int(request.query_params.get("cursor", "0"))
        following = start + self.page
        items = [item for item in self.lists_as_json(path)[start:following] if not _is_left_out(item, request)]
        return JSONResponse({"items": items, "next": str(following) if following < len(self.lists[path]) else None})


def two_hospitals() -> Group:
    """North has trouble in every part, south has none."""
    north, south, old = _system("north", "North archive", "12.3"), _system("south", "South archive", "6.1.0"), new_id()
    storage = _node(north, "North archive, storage", "NORTH_PACS", 11112, "archive")
    scanner = _node(north, "CT 2, emergency", "NORTH_CT2", 11113, "modality")
    reading = _node(north, "Reading room 4", "NORTH_WS4", 11114, "workstation").model_copy(update={"state": "isolated"})
    quiet = _node(south, "South archive, storage", "SOUTH_PACS", 11115, "archive")
    closed = _system("north", "Old archive", "4.0").model_copy(update={"state": "closed", "id": old})
    group = Group()
    group.lists |= {
        SITES: [
            Site(id="north", name="Northfield General Hospital", time_zone="Europe/Berlin", version=1),
            Site(id="south", name="Southbridge Children's Hospital", time_zone="Atlantic/Azores", version=1),
        ],
        SYSTEMS: [north, south, closed],
        NODES: [storage, scanner, reading, quiet],
        ORDERS: [_order(north, -1), _order(north, 40)],
        TARGETS: [
            _target(storage, _result(storage, 8, "failed", "No TCP connection: connection refused")),
            _target(scanner, _result(scanner, 21, "ok", "answered")),
            _target(reading, reason="the node is isolated"),
            _target(quiet, _result(quiet, 40, "ok", "answered")),
        ],
        ALERTS: [_alert(storage, north.id)],
        STANDINGS: [
            _standing(storage, "firing"),
            _standing(scanner, "unknown"),
            _standing(scanner, "pending", suppressed_by=storage.id),
        ],
        REPORTS: [_report(north)],
        WINDOWS: [_window(north)],
        RUNS: [_run(north, 30, "done"), _run(north, 6, "failed"), _run(south, 5, "done")],
        EVENTS: [
            _event(914, "log.manifest", "log"),
            _event(913, "log.accessed", "log"),
            _event(912, "probe.result", storage.id),
            _event(910, "alert.transitioned", storage.id),
            _event(911, "window.scheduled", "north"),
        ],
    }
    return group


def _is_left_out(item: dict[str, Any], request: Request) -> bool:
    return "event" in item and item["event"]["type"] in request.query_params.getlist("not_type")


def _system(site_id: str, name: str, version: str) -> System:
    software = Software(vendor="Northlight Imaging", product="Archive One", version=version)
    return System(id=new_id(), site_id=site_id, name=name, state="in_service", software=software, version=1)


def _node(system: System, name: str, ae_title: str, port: int, role: Any) -> Node:
    return Node(
        id=new_id(),
        site_id=system.site_id,
        system_id=system.id,
        name=name,
        state="in_service",
        ae_title=ae_title,
        host=f"pacs.{system.site_id}.example.org",
        port=port,
        role=role,
        version=1,
    )


def _order(system: System, days: int) -> ReplacementOrder:
    order_by = NOW.date() + timedelta(days=days)
    return ReplacementOrder(
        id=new_id(),
        asset_id=new_id(),
        site_id=system.site_id,
        name="Drive 3",
        type="drive",
        state="due",
        due=order_by + timedelta(days=90),
        order_by=order_by,
        ground="age",
        why="bought on 2021-05-17, and replaced after 60 months",
        reference=None,
        waived_until=None,
        reason=None,
        version=1,
    )


def _target(node: Node, *last: Result, reason: str | None = None) -> Target:
    return Target(
        id=node.id,
        site_id=node.site_id,
        kind="node",
        name=node.name,
        system_id=node.system_id,
        dicom=None,
        probed=reason is None,
        reason=reason,
        last=list(last),
        version=1,
    )


def _result(node: Node, seconds: int, outcome: Any, detail: str) -> Result:
    return Result(
        id=new_id(),
        probe_id=f"dicom-echo:{node.id}",
        subject=node.id,
        site_id=node.site_id,
        kind="dicom-echo",
        due_at=NOW - timedelta(seconds=seconds),
        started_at=NOW - timedelta(seconds=seconds),
        outcome=outcome,
        failure=None if outcome == "ok" else "refused",
        detail=detail,
        phases={"tcp": 0.4},
        rejection=None,
        measures={},
        facts={},
        status=None,
        lag_ms=1.0,
        vantage="north-dc1",
        window_id=None,
    )


def _alert(node: Node, system_id: str) -> Alert:
    return Alert(
        id=new_id(),
        check="dicom-echo",
        subject=node.id,
        asset_name=node.name,
        site_id=node.site_id,
        system_id=system_id,
        severity="critical",
        summary="No TCP connection to pacs.north.example.org:11112: connection refused",
        since=NOW - timedelta(minutes=3),
        raised_at=NOW - timedelta(minutes=2),
        persisted_past_window=False,
        probe_id=f"dicom-echo:{node.id}",
        flapping=True,
        acknowledged_by="ben",
        acknowledgement="The vendor is on the way.",
    )


def _standing(node: Node, phase: Any, suppressed_by: str | None = None) -> Standing:
    return Standing(
        id=f"dicom-echo:{node.id}",
        probe_id=f"dicom-echo:{node.id}",
        measure="",
        subject=node.id,
        site_id=node.site_id,
        check="dicom-echo",
        phase=phase,
        failures=0,
        since=NOW - timedelta(minutes=3),
        alert_id=None,
        severity=None,
        held_by_window=False,
        suppressed_by=suppressed_by,
    )


def _report(system: System) -> Report:
    return Report(
        id=new_id(),
        site_id=system.site_id,
        system_id=system.id,
        asset_name=system.name,
        summary="Images load slowly in the ED",
        details="",
        place="ED, reading room 2",
        contact="Dr. Weber, 4711",
        happened_at=NOW - timedelta(minutes=12),
        filed_at=NOW - timedelta(minutes=11),
        filed_by="weber",
        alert_id=new_id(),
        sha256="0" * 64,
        version=1,
    )


def _window(system: System) -> Window:
    return Window(
        id=new_id(),
        site_id=system.site_id,
        time_zone="Europe/Berlin",
        state="scheduled",
        revision=0,
        title="Archive upgrade to 12.4",
        reason="Vendor fix for slow retrieval.",
        impact="OUTAGE",
        starts_at=NOW + timedelta(days=7),
        ends_at=NOW + timedelta(days=7, hours=3),
        systems=[SystemRef(id=system.id, name=system.name)],
        contact="PACS on call, extension 4711",
        version=1,
    )


def _run(system: System, hours: int, state: Any) -> Run:
    began = NOW - timedelta(hours=hours)
    is_done = state == "done"
    return Run(
        id=new_id(),
        set_id=new_id(),
        system_id=system.id,
        site_id=system.site_id,
        scope="archive",
        engine="restic",
        path="/srv/archive",
        repository=f"{system.site_id}-archive",
        state=state,
        requested_by="alice",
        planned_at=began,
        started_at=began,
        finished_at=began + timedelta(minutes=3),
        total_bytes=734_003_200 if is_done else None,
        items=1412 if is_done else None,
        encrypted=True if is_done else None,
        reason=None if is_done else "The repository is locked by another host since yesterday.",
        version=3,
    )


def _event(index: int, event_type: str, subject: str) -> AuditedEvent:
    event = {"type": event_type, "subject": subject, "actor": "alice", "time": NOW.isoformat()}
    return AuditedEvent(index=index, site_id="north", site_sequence=3, recorded_at=NOW, leaf_hash="AA==", event=event)
