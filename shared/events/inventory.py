"""Events of inventory: what we have. The ``changed`` events carry the full state on compacted topics."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, Field

from shared.events.contract import EventData, Instant

LifecycleState = Literal[
    "proposed",
    "planned",
    "procured",
    "staged",
    "commissioning",
    "in_service",
    "maintenance",
    "degraded",
    "retiring",
    "migrated",
    "isolated",
    "sanitized",
    "disposed",
    "closed",
    "cancelled",
]
AssetKind = Literal["system", "node", "component"]
NodeRole = Literal["archive", "modality", "workstation"]
ClusterRole = Literal["shared", "member"]
Environment = Literal["production", "staging", "test"]
Deployment = Literal["on_premises", "cloud", "hybrid"]
ComponentType = Literal[
    "server",
    "array",
    "drive",
    "ups",
    "battery",
    "switch",
    "port",
    "workstation",
    "licence",
    "software",
    "database",
    "other",
]
FieldKind = Literal["text", "number", "date", "boolean", "choice"]
PersonRole = Literal["clinician", "admin", "radiology", "it", "vendor", "biomed", "privacy", "clinical_owner"]
CompetenceLevel = Literal["basic", "trained", "expert"]
ContractKind = Literal["support", "business_associate", "warranty", "lease"]
LinkKind = Literal[
    "depends_on", "powered_by", "connected_to", "dicom", "backs_up_to", "mirrors", "replicates_to", "fails_over_to"
]
DicomService = Literal["verification", "storage", "query", "retrieve", "worklist", "mpps", "commitment", "print"]


class SiteChanged(EventData, event_type="site.changed", compacted=True, partitions=1):
    """A site's full state; the subject is the site id. Coordinates are degrees of WGS 84, both or none."""

    name: str
    time_zone: str
    version: int
    latitude: float | None = None
    longitude: float | None = None
    gateway: str | None = None
    group_id: str | None = None
    address: str | None = None


class GroupChanged(EventData, event_type="group.changed", compacted=True, partitions=1):
    """A group of sites was made, changed or, with ``deleted``, taken away: its full state. The subject is its id."""

    name: str
    parent_id: str | None
    deleted: bool
    version: int


class FieldChanged(EventData, event_type="field.changed", compacted=True, partitions=1):
    """A custom field of components was defined, changed or, with ``deleted``, taken away; the subject is its id."""

    component_type: ComponentType
    name: str
    label: str
    kind: FieldKind
    required: bool
    unit: str | None
    minimum: float | None
    maximum: float | None
    choices: list[str] | None
    deleted: bool
    version: int


class Competence(BaseModel):
    """What a person can do, since when and until when; ``evidence`` is what shows it."""

    name: str
    level: CompetenceLevel
    since: date
    until: date | None
    evidence: str | None


class PersonChanged(EventData, event_type="person.changed", compacted=True, partitions=1):
    """A person whom a site's notices reach; the subject is the person's id.

    ``login`` is the subject of the person's token, ``employer_id`` the vendor that somebody from outside works for.
    """

    name: str
    email: str
    roles: list[PersonRole]
    active: bool
    version: int
    phone: str | None = None
    login: str | None = None
    employer_id: str | None = None
    competences: tuple[Competence, ...] = ()


class DicomAddress(BaseModel):
    """Where a DICOM node answers: AE title (PS3.5 §6.2), host name or address, TCP port."""

    ae_title: str
    host: str
    port: int
    role: NodeRole


class Software(BaseModel):
    """What a system runs."""

    vendor: str
    product: str
    version: str


class ComponentFacts(BaseModel):
    """What a component is. ``version`` is the firmware or software that it runs, ``installed_in`` another component."""

    type: ComponentType
    serial: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    version: str | None = None
    purchase_date: date | None = None
    installed_in: str | None = None
    product_id: str | None = None
    installed_on: date | None = None


class AssetChanged(EventData, event_type="asset.changed", compacted=True, partitions=3):
    """An asset's full state. A node belongs to the system ``system_id`` and has a DICOM address.

    A component may belong to a system. A system that is not in production may mirror (``mirrors``) one that is. Nodes
    with the same ``cluster`` share its load; the ``shared`` address is the one that their peers know.
    """

    kind: AssetKind
    name: str
    state: LifecycleState
    version: int
    system_id: str | None = None
    software: Software | None = None
    dicom: DicomAddress | None = None
    component: ComponentFacts | None = None
    environment: Environment | None = None
    deployment: Deployment | None = None
    mirrors: str | None = None
    cluster: str | None = None
    cluster_role: ClusterRole | None = None


class UsageRecorded(EventData, event_type="usage.recorded"):
    """Somebody has read a counter of an asset; what probes read is in their own results."""

    counter: str
    value: float
    at: Instant


class AssetTransitioned(EventData, event_type="asset.transitioned"):
    """An asset has moved in its lifecycle, under a version of the policy and by the evidence and waivers named.

    Where they are many, ``evidence_omitted`` are not named here; the decision ``decision_id`` has them all.
    """

    from_state: LifecycleState
    to_state: LifecycleState
    reason: str
    policy_version: int | None = None
    evidence: list[str] = Field(default_factory=list)
    evidence_omitted: int = 0
    decision_id: str | None = None


class AssetRetired(EventData, event_type="asset.retired"):
    """An asset has reached the end of its lifecycle: ``closed``. ``dossier_sha256`` is the digest of its dossier."""

    kind: AssetKind
    name: str
    reason: str
    dossier_sha256: str | None = None


class EvidenceChanged(EventData, event_type="evidence.changed"):
    """Evidence for a step of an asset's lifecycle was recorded or revoked; the subject is the asset.

    ``kind`` is one of the policy's. ``reference`` is the document or event that serves, ``sha256`` the digest of its
    bytes; a statement stands as it was made, ``capacity`` is what its maker signed as. ``covers`` are the interfaces or
    media that it speaks of. ``reason`` says why it was revoked.
    """

    evidence_id: str
    kind: str
    source: Literal["document", "event", "statement"]
    state: Literal["recorded", "revoked"]
    reference: str | None
    sha256: str | None
    statement: str | None
    capacity: str | None
    covers: list[str]
    valid_until: Instant | None
    reason: str | None
    policy_version: int
    version: int


class WaiverChanged(EventData, event_type="waiver.changed"):
    """Somebody wants, approves, rejects or withdraws that a step goes without a kind of evidence; of an asset."""

    waiver_id: str
    kind: str
    state: Literal["requested", "approved", "rejected", "withdrawn"]
    reason: str
    expires_at: Instant
    requested_by: str
    decided_by: str | None
    decision_reason: str | None
    version: int


class PolicyChanged(EventData, event_type="policy.changed"):
    """A new version of the lifecycle's policy is in force; the subject is the group. ``sha256`` is of its document."""

    policy_version: int
    title: str
    sha256: str


class TrainingCompleted(EventData, event_type="training.completed"):
    """Somebody has completed a training; the subject is the system that it is about.

    ``trained`` of the ``needed`` people hold it from now on, which are ``share`` per cent of them.
    """

    training_id: str
    course: str
    person_id: str
    result: Literal["passed", "failed"]
    completed_at: Instant
    valid_until: Instant | None
    trained: int
    needed: int
    share: float


class VendorChanged(EventData, event_type="vendor.changed", compacted=True, partitions=1):
    """A vendor of the group's catalogue; ``aliases`` are its other names."""

    name: str
    aliases: list[str]
    version: int


class SupportEnd(BaseModel):
    """Until when something is supported; ``not_announced``: it is, and no end was named. ``unknown``: nobody knows."""

    state: Literal["ends_on", "not_announced", "unknown"]
    on: date | None = None
    source: str | None = None
    stated_on: date | None = None


class ProductChanged(EventData, event_type="product.changed", compacted=True, partitions=1):
    """A product of the group's catalogue; ``support`` is that of versions that have none of their own."""

    vendor_id: str
    name: str
    aliases: list[str]
    type: str
    cpe: str | None
    purl: str | None
    support: SupportEnd
    version: int


class ProductVersionChanged(EventData, event_type="product_version.changed", compacted=True, partitions=1):
    """A version of a product, by the ``number`` that its vendor gave it."""

    product_id: str
    number: str
    released_on: date | None
    support: SupportEnd
    version: int


class ContractChanged(EventData, event_type="contract.changed", compacted=True, partitions=1):
    """A contract with a vendor; ``ends`` is its last day. It covers ``asset_ids``."""

    kind: ContractKind
    vendor_id: str
    number: str
    starts: date
    ends: date | None
    review_on: date | None
    asset_ids: list[str]
    document_id: str | None
    renewed_by: str | None
    let_lapse: bool
    version: int


class LinkChanged(EventData, event_type="link.changed", compacted=True, partitions=3):
    """A link from one asset to another; the subject is the link's id, the site that of ``from_id``.

    Compaction keeps one event a subject, and an asset has many links: so each link is a subject of its own.
    ``services`` are those that a DICOM link offers. ``to_site_id`` is ``another site`` where the link leads out of its
    own: who reads a site's events learns no other's name.
    """

    kind: LinkKind
    from_id: str
    to_id: str
    to_site_id: str
    services: list[DicomService]
    deleted: bool
    version: int


class ReplacementChanged(EventData, event_type="replacement.changed"):
    """A component must be replaced by ``due``, or need be no more: the order's full state; of the component.

    ``order_by`` is when an order must be placed at the latest; ``reference`` is its number once it was.
    """

    order_id: str
    name: str
    type: ComponentType
    state: Literal["due", "ordered", "waived", "settled"]
    due: date
    order_by: date
    ground: Literal["age", "usage", "support", "advisory"]
    why: str
    reference: str | None
    waived_until: date | None
    reason: str | None
    version: int


class UsageLimit(BaseModel):
    """The value of a counter at which a component is worn out."""

    counter: str
    limit: float


class EndRuleChanged(EventData, event_type="end_rule.changed", compacted=True, partitions=1):
    """What ends the life of components of a type was set; the subject is the type."""

    max_age_months: int | None
    usage: list[UsageLimit]
    lead_days: int
    version: int
