"""What the page of an asset shows: where it stands in its life, what its next step lacks, whom to call."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel

from services.console.answers import One, Part, troubles_of
from services.console.overview.domain import Alert, Site, Software
from services.console.times import zone_of

LIFE = (
    *("proposed", "planned", "procured", "staged", "commissioning", "in_service"),
    *("retiring", "migrated", "isolated", "sanitized", "disposed", "closed"),
)
"""The states of a life that goes straight on."""

ASIDE = {"maintenance": "in_service", "degraded": "in_service"}
"""The states beside that line, each with the one that it stands at."""

GREATNESS = {"system": 0, "node": 1}
Standing = Literal["passed", "unrecorded", "now", "ahead", "never"]


class Asset(BaseModel):
    """A system, node or component, as inventory tells of it; each has some of the fields."""

    id: str
    site_id: str
    kind: str
    name: str
    state: str
    software: Software | None = None
    environment: str | None = None
    deployment: str | None = None
    mirrors: str | None = None
    system_id: str | None = None
    ae_title: str | None = None
    host: str | None = None
    port: int | None = None
    role: str | None = None
    cluster: str | None = None
    type: str | None = None
    installed_in: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    asset_tag: str | None = None
    software_version: str | None = None
    purchase_date: date | None = None
    installed_on: date | None = None
    warranty_until: date | None = None
    capacity_bytes: int | None = None
    media_type: str | None = None
    raid_level: str | None = None


class MetKind(BaseModel):
    """A kind of evidence that is there, and by what."""

    kind: str
    title: str
    by: tuple[str, ...]


class MissingKind(BaseModel):
    """A kind of evidence that is missing, why, and how to get it."""

    kind: str
    title: str
    how: str
    why: str


class Gate(BaseModel):
    """What a move would need."""

    to_state: str
    allowed: bool
    met: tuple[MetKind, ...]
    missing: tuple[MissingKind, ...]


class Gates(BaseModel):
    """The gates before the next moves, and what an adopted asset never proved."""

    adopted: bool
    policy_version: int
    next: tuple[Gate, ...]
    debt: tuple[MissingKind, ...]


class Evidence(BaseModel):
    """Something that serves a gate."""

    id: str
    source: str
    what: str
    recorded_by: str
    recorded_at: AwareDatetime
    valid_until: AwareDatetime | None = None


class Waiver(BaseModel):
    """That a kind of evidence is gone without for a time."""

    id: str
    kind: str
    state: str
    reason: str
    expires_at: AwareDatetime
    requested_by: str
    decided_by: str | None = None


class Transition(BaseModel):
    """A move that was made."""

    from_state: str
    to_state: str
    at: AwareDatetime


class Link(BaseModel):
    """What goes from one asset to another."""

    kind: str
    from_id: str
    to_id: str
    note: str | None = None


class Dependent(BaseModel):
    """What falls with the asset."""

    id: str
    kind: str
    name: str
    state: str
    via: str
    distance: int

    @property
    def is_part(self) -> bool:
        """Whether it is a part of the asset, which the page lists anyway."""
        return self.distance == 1 and self.via in ("belongs_to", "installed_in")


class Impact(BaseModel):
    """All that falls with the asset; there is more where it is not ``complete``."""

    affected: tuple[Dependent, ...]
    complete: bool


class Level(BaseModel):
    """Who is called."""

    name: str
    phone: str | None = None
    email: str | None = None
    hours: str
    time_zone: str


class Contract(BaseModel):
    """What a vendor owes."""

    kind: str
    vendor_id: str
    number: str
    starts: date
    ends: date | None
    review_on: date | None
    notice_days: int
    escalation: tuple[Level, ...]
    renewed_by: str | None
    let_lapse: bool


class Vendor(BaseModel):
    """Who owes it."""

    id: str
    name: str


class Support(BaseModel):
    """Whether a support contract is in force; else what is to be done."""

    missing: str | None


class Candidate(BaseModel):
    """One of the days on which a component ends, and why."""

    on: date
    ground: str
    why: str


class End(BaseModel):
    """When a component must be replaced; ``unknown`` are what should be found out."""

    asset_id: str
    on: date | None
    order_by: date | None
    candidates: tuple[Candidate, ...]
    unknown: tuple[str, ...]


class FieldChange(BaseModel):
    """A field that differs."""

    path: str
    before: Any
    after: Any


class Revision(BaseModel):
    """A change as it was made."""

    at: AwareDatetime
    actor: str
    reason: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    changes: tuple[FieldChange, ...]


@dataclass(frozen=True)
class Answers:
    """All that the page of an asset is made of. ``named`` are the assets and vendors that the others refer to."""

    asset: Asset
    site: One[Site]
    alerts: Part[Alert]
    gates: One[Gates]
    evidence: Part[Evidence]
    waivers: Part[Waiver]
    transitions: Part[Transition]
    links: Part[Link]
    impact: One[Impact]
    named: Part[Asset]
    contracts: Part[Contract]
    vendors: Part[Vendor]
    support: One[Support]
    nodes: Part[Asset]
    components: Part[Asset]
    end: One[End]
    ends: Part[End]
    history: Part[Revision]


@dataclass(frozen=True)
class Step:
    """A state on the line of a life, and since when it is, or was, reached."""

    state: str
    standing: Standing
    at: datetime | None = None


@dataclass(frozen=True)
class Signed:
    """A contract with its vendor's name. ``term`` is its last day, or the one to look at it again."""

    contract: Contract
    vendor: str
    term: date | None
    standing: Literal["ended", "ending", "in force", "to come"]


@dataclass(frozen=True)
class AssetView:
    """The whole page."""

    asset: Asset
    site: Site
    zone: tzinfo
    today: date
    alerts: tuple[Alert, ...]
    life: tuple[Step, ...]
    gates: tuple[Gate, ...]
    evidence: Mapping[str, Evidence]
    waivers: Mapping[str, Waiver]
    asked_waivers: tuple[Waiver, ...]
    needs: tuple[Link, ...]
    falls: tuple[Dependent, ...]
    names: Mapping[str, Asset]
    contracts: tuple[Signed, ...]
    ends: Mapping[str, End]
    troubles: tuple[str, ...]
    answers: Answers


def put_together(answers: Answers, now: datetime) -> AssetView:
    """The page of an asset; its first gate is the one to go straight on."""
    asset = answers.asset
    site = answers.site.item or Site(id=asset.site_id, name=asset.site_id)
    zone = zone_of(site.time_zone)
    today = now.astimezone(zone).date()
    known = {asset.id: asset} | {one.id: one for one in (*answers.named.items, *answers.nodes.items)}
    return AssetView(
        asset=asset,
        site=site,
        zone=zone,
        today=today,
        alerts=tuple(
            sorted(
                (one for one in answers.alerts.items if asset.id in (one.subject, one.system_id)),
                key=lambda one: (one.severity != "critical", one.since),
            )
        ),
        life=line_of_life(asset.state, answers.transitions.items),
        gates=_straight_on_first(asset.state, answers.gates.item),
        evidence={one.id: one for one in answers.evidence.items},
        waivers={f"waiver {one.id}": one for one in answers.waivers.items},
        asked_waivers=tuple(one for one in answers.waivers.items if one.state == "requested" and one.expires_at > now),
        needs=tuple(
            sorted(
                (link for link in answers.links.items if link.from_id == asset.id),
                key=lambda link: (link.kind, known[link.to_id].name if link.to_id in known else ""),
            )
        ),
        falls=_falling(answers.impact.item),
        names=known,
        contracts=_signed(answers, today),
        ends={end.asset_id: end for end in answers.ends.items},
        troubles=troubles_of(*(part for part in vars(answers).values() if isinstance(part, One | Part))),
        answers=answers,
    )


def line_of_life(state: str, moves: Collection[Transition]) -> tuple[Step, ...]:
    """The states of a life in their order; those before the present one that no move tells of are ``unrecorded``."""
    reached = {move.to_state: move.at for move in moves}
    visited = reached.keys() | {move.from_state for move in moves}
    here = ASIDE.get(state, state)
    place = LIFE.index(here) if here in LIFE else -1
    steps = []
    for index, name in enumerate(LIFE):
        if index == place:
            steps.append(Step(state, "now", reached.get(state)))
        elif index < place or (place < 0 and name in visited):
            steps.append(Step(name, "passed" if name in visited else "unrecorded", reached.get(name)))
        else:
            steps.append(Step(name, "ahead" if place >= 0 else "never"))
    return tuple(steps) if place >= 0 else (*steps, Step(state, "now", reached.get(state)))


def _falling(impact: Impact | None) -> tuple[Dependent, ...]:
    """What falls with the asset but its own parts: whole systems first, then nodes."""
    others = [one for one in impact.affected if not one.is_part] if impact else []
    return tuple(sorted(others, key=lambda one: (GREATNESS.get(one.kind, len(GREATNESS)), one.distance)))


def _straight_on_first(state: str, gates: Gates | None) -> tuple[Gate, ...]:
    here = LIFE.index(state) if state in LIFE else None
    following = LIFE[here + 1 : here + 2] if here is not None else (ASIDE.get(state, ""),)
    return tuple(sorted(gates.next, key=lambda gate: gate.to_state not in following)) if gates else ()


def _signed(answers: Answers, today: date) -> tuple[Signed, ...]:
    """The contracts that somebody may have to act on, the first to end first; those that are provided for are left out
    once they are over."""
    names = {vendor.id: vendor.name for vendor in answers.vendors.items}
    found = [
        Signed(one, names.get(one.vendor_id, one.vendor_id), one.ends or one.review_on, _standing(one, today))
        for one in answers.contracts.items
    ]
    wanted = [one for one in found if one.standing != "ended" or not _is_provided_for(one.contract)]
    return tuple(sorted(wanted, key=lambda one: (one.term or date.max, one.contract.number)))


def _is_provided_for(contract: Contract) -> bool:
    return contract.let_lapse or contract.renewed_by is not None


def _standing(contract: Contract, today: date) -> Literal["ended", "ending", "in force", "to come"]:
    if contract.starts > today:
        return "to come"
    if contract.ends is not None and contract.ends < today:
        return "ended"
    term = contract.ends or contract.review_on
    is_near = term is not None and (term - today).days <= contract.notice_days
    return "ending" if is_near and not _is_provided_for(contract) else "in force"
