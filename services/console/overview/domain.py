"""What the overview shows: the other services' answers, put together by site. A part that is missing hides no other."""

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo

from pydantic import AwareDatetime, BaseModel

from services.console.answers import Part, troubles_of
from services.console.times import zone_of
from shared.resource import UUID

ENDED = frozenset({"closed", "cancelled"})
LIVE_WINDOWS = frozenset({"scheduled", "started"})
SHOWN_RUNS = 5
SHOWN_ENTRIES = 15
BADNESS = {"failed": 3, "degraded": 2, "probe_error": 1}


class Site(BaseModel):
    """A hospital, as inventory tells of it."""

    id: str
    name: str
    time_zone: str = "UTC"


class Software(BaseModel):
    """What a system runs."""

    vendor: str = ""
    product: str = ""
    version: str = ""


class System(BaseModel):
    """A PACS, as inventory tells of it."""

    id: str
    site_id: str
    name: str
    state: str
    software: Software | None = None


class Node(BaseModel):
    """A DICOM node, as inventory tells of it."""

    id: str
    site_id: str
    system_id: str | None = None
    name: str
    state: str
    ae_title: str = ""
    host: str = ""
    port: int | None = None


class Result(BaseModel):
    """What one probe saw of its target."""

    kind: str
    started_at: AwareDatetime
    outcome: str
    detail: str = ""
    window_id: str | None = None


class Target(BaseModel):
    """Whether probes asks a node, and if not, why; and what each of its probes saw last."""

    id: str
    probed: bool = True
    reason: str | None = None
    last: tuple[Result, ...] = ()


class Alert(BaseModel):
    """An alert that is open until it has ``resolved_at``; ``acknowledged_by`` has taken it over.

    A ``flapping`` one comes and goes.
    """

    site_id: str
    subject: str
    system_id: str | None = None
    asset_name: str
    check: str
    severity: str
    summary: str
    since: AwareDatetime
    resolved_at: AwareDatetime | None = None
    flapping: bool = False
    acknowledged_by: str | None = None
    acknowledgement: str | None = None

    @property
    def is_about_asset(self) -> bool:
        """Whether an asset has the id of its subject; a vantage has a name."""
        return re.fullmatch(UUID, self.subject) is not None


class Standing(BaseModel):
    """Where a check stands that is not well. ``suppressed_by`` is an asset that is down, and that it lies behind."""

    site_id: str
    subject: str
    check: str
    phase: str
    suppressed_by: str | None = None
    held_by_window: bool = False

    @property
    def is_unheard(self) -> bool:
        """Whether nobody knows how it is: what was seen last says nothing any more."""
        return self.phase == "unknown"

    @property
    def counts(self) -> bool:
        """Whether it tells what no open alert does."""
        return self.is_unheard or self.held_by_window or self.suppressed_by is not None


class Order(BaseModel):
    """A replacement that nobody has ordered yet; to be there in time it is ordered by ``order_by`` at the latest."""

    site_id: str
    order_by: date


class Report(BaseModel):
    """What somebody of the staff has noticed, and nobody has said yet what came of it."""

    site_id: str
    asset_name: str
    summary: str
    place: str | None = None
    contact: str | None = None
    happened_at: AwareDatetime
    filed_by: str
    closed_at: AwareDatetime | None = None


class SystemRef(BaseModel):
    """A system in a window's scope."""

    name: str


class Window(BaseModel):
    """A maintenance window."""

    site_id: str
    state: str
    title: str
    impact: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    systems: tuple[SystemRef, ...] = ()
    contact: str = ""


class Run(BaseModel):
    """A backup run."""

    site_id: str
    system_id: str
    scope: str
    repository: str = ""
    state: str
    planned_at: AwareDatetime
    finished_at: AwareDatetime | None = None
    total_bytes: int | None = None
    items: int | None = None
    encrypted: bool | None = None
    reason: str | None = None


class AuditedEvent(BaseModel):
    """What the audit trail shows of an event's envelope."""

    type: str
    subject: str
    actor: str
    time: AwareDatetime


class Entry(BaseModel):
    """An entry of the audit trail."""

    index: int
    site_id: str
    event: AuditedEvent


@dataclass(frozen=True)
class Answers:
    """All that the overview is made of."""

    sites: Part[Site] = field(default_factory=Part)
    systems: Part[System] = field(default_factory=Part)
    nodes: Part[Node] = field(default_factory=Part)
    orders: Part[Order] = field(default_factory=Part)
    targets: Part[Target] = field(default_factory=Part)
    alerts: Part[Alert] = field(default_factory=Part)
    standings: Part[Standing] = field(default_factory=Part)
    reports: Part[Report] = field(default_factory=Part)
    windows: Part[Window] = field(default_factory=Part)
    runs: Part[Run] = field(default_factory=Part)
    entries: Part[Entry] = field(default_factory=Part)


@dataclass(frozen=True)
class NodeRow:
    """A node with what its probes last saw; ``not_probed`` says why nothing is asked of it.

    ``standings`` are those of its checks that count, each with the name of what keeps its alert back.
    """

    node: Node
    results: tuple[Result, ...]
    not_probed: str | None
    standings: tuple[tuple[Standing, str | None], ...] = ()


@dataclass(frozen=True)
class SystemRow:
    """A system with its nodes. Without a system, the nodes are those whose system is not known."""

    system: System | None
    nodes: tuple[NodeRow, ...]


@dataclass(frozen=True)
class SiteView:
    """One site's part of the page. Of the ``orders`` to place, ``late_orders`` come too late already."""

    site: Site
    zone: tzinfo
    orders: int
    late_orders: int
    alerts: tuple[Alert, ...]
    reports: tuple[Report, ...]
    unheard: int
    systems: tuple[SystemRow, ...]
    windows: tuple[Window, ...]
    runs: tuple[tuple[Run, str], ...]
    outcomes: tuple[str, ...]

    @property
    def worst(self) -> str | None:
        """The worst of what its probes last saw; None without any result."""
        return max(self.outcomes, key=lambda outcome: BADNESS.get(outcome, 0), default=None)


@dataclass(frozen=True)
class Overview:
    """The whole page. ``troubles`` names the parts that are missing or not whole but should be."""

    sites: tuple[SiteView, ...]
    entries: tuple[Entry, ...]
    troubles: tuple[str, ...]
    answers: Answers


def put_together(answers: Answers, now: datetime) -> Overview:
    """The overview of all sites that any answer speaks of, those with open alerts first."""
    views = [_view(site, answers, now) for site in _all_sites(answers)]
    return Overview(
        sites=tuple(sorted(views, key=lambda view: (not view.alerts, view.site.name.casefold()))),
        entries=tuple(sorted(answers.entries.items, key=lambda entry: -entry.index)[:SHOWN_ENTRIES]),
        troubles=troubles_of(*vars(answers).values()),
        answers=answers,
    )


def _all_sites(answers: Answers) -> list[Site]:
    known = {site.id: site for site in answers.sites.items}
    parts = (answers.systems, answers.nodes, answers.alerts, answers.reports, answers.windows, answers.runs)
    for part in parts:
        for item in part.items:
            known.setdefault(item.site_id, Site(id=item.site_id, name=item.site_id))
    return list(known.values())


def _view(site: Site, answers: Answers, now: datetime) -> SiteView:
    systems = _systems(site.id, answers)
    names = {system.id: system.name for system in answers.systems.items}
    windows = [w for w in answers.windows.items if w.site_id == site.id and w.state in LIVE_WINDOWS]
    alerts = [alert for alert in answers.alerts.items if alert.site_id == site.id and alert.resolved_at is None]
    reports = [one for one in answers.reports.items if one.site_id == site.id]
    zone = zone_of(site.time_zone)
    orders = [order for order in answers.orders.items if order.site_id == site.id]
    today = now.astimezone(zone).date()
    runs = sorted((run for run in answers.runs.items if run.site_id == site.id), key=lambda run: run.planned_at)
    return SiteView(
        site=site,
        zone=zone,
        orders=len(orders),
        late_orders=sum(order.order_by < today for order in orders),
        alerts=tuple(sorted(alerts, key=lambda alert: (alert.severity != "critical", alert.since))),
        reports=tuple(
            sorted((one for one in reports if one.closed_at is None), key=lambda one: one.happened_at, reverse=True)
        ),
        unheard=sum(one.is_unheard for one in answers.standings.items if one.site_id == site.id),
        systems=systems,
        windows=tuple(sorted(windows, key=lambda window: window.starts_at)),
        runs=tuple((run, names.get(run.system_id, run.system_id)) for run in reversed(runs[-SHOWN_RUNS:])),
        outcomes=tuple(result.outcome for system in systems for row in system.nodes for result in row.results),
    )


def _systems(site_id: str, answers: Answers) -> tuple[SystemRow, ...]:
    systems = [s for s in answers.systems.items if s.site_id == site_id and s.state not in ENDED]
    nodes = [n for n in answers.nodes.items if n.site_id == site_id and n.state not in ENDED]
    targets = {target.id: target for target in answers.targets.items}
    standings = _standings_by_subject(answers)
    rows = [
        replace(_node_row(node, targets.get(node.id)), standings=tuple(standings.get(node.id, ())))
        for node in sorted(nodes, key=_by_name)
    ]
    shown = {system.id for system in systems}
    placed = [
        SystemRow(system, tuple(row for row in rows if row.node.system_id == system.id))
        for system in sorted(systems, key=_by_name)
    ]
    strays = tuple(row for row in rows if row.node.system_id not in shown)
    return (*placed, SystemRow(None, strays)) if strays else tuple(placed)


def _standings_by_subject(answers: Answers) -> dict[str, list[tuple[Standing, str | None]]]:
    names = {asset.id: asset.name for part in (answers.systems, answers.nodes) for asset in part.items}
    found: dict[str, list[tuple[Standing, str | None]]] = {}
    for one in answers.standings.items:
        if one.counts:
            behind = names.get(one.suppressed_by, one.suppressed_by) if one.suppressed_by else None
            found.setdefault(one.subject, []).append((one, behind))
    return found


def _node_row(node: Node, target: Target | None) -> NodeRow:
    if target is None or target.probed:
        return NodeRow(node, target.last if target else (), None)
    return NodeRow(node, (), target.reason or "it is not probed")


def _by_name(asset: System | Node) -> tuple[str, str]:
    return asset.name.casefold(), asset.id
