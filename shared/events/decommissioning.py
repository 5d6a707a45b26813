"""Events of inventory about the end of an asset's life: who had it, who took it away, and the dossier that tells it."""

from datetime import date
from typing import Literal

from pydantic import BaseModel

from shared.events.contract import EventData, Instant

Certification = Literal["R2v3", "e-Stewards", "NAID AAA"]
CustodyKind = Literal["handed_over", "moved", "received", "sealed", "shipped", "picked_up", "destroyed"]


class Certificate(BaseModel):
    """What a recycler is certified for, from its first day to its last."""

    certification: Certification
    number: str
    valid_from: date
    valid_until: date


class RecyclerChanged(EventData, event_type="recycler.changed", compacted=True, partitions=1):
    """A recycler of the group, its certificates, and the vendors ``downstream`` that it passes material on to."""

    name: str
    certificates: list[Certificate]
    downstream: list[str]
    version: int


class CustodyChanged(EventData, event_type="custody.changed"):
    """An asset went from one holder to the next, or was sealed, moved or destroyed; the subject is the asset.

    ``number`` counts the links of its chain. ``certificate`` is the one that the recycler had on the day.
    """

    custody_id: str
    number: int
    kind: CustodyKind
    from_holder: str
    to_holder: str
    at: Instant
    place: str
    seal: str | None
    person: str
    recycler_id: str | None
    certificate: Certificate | None


class DisposalRecorded(EventData, event_type="disposal.recorded"):
    """A recycler's manifest of what it has taken of a system, by serial number; the subject is the system.

    ``sha256`` is the digest of its lines as canonical JSON (RFC 8785), ``weight_kg`` their sum.
    """

    disposal_id: str
    recycler_id: str
    reference: str
    lines: int
    weight_kg: float
    sha256: str


class DossierSealed(EventData, event_type="dossier.sealed"):
    """The dossier of an asset was sealed; the subject is the asset. ``sha256`` is the digest of its manifest."""

    dossier_id: str
    sha256: str
    files: int
    size: int
    version: int


class DossierSigned(EventData, event_type="dossier.signed"):
    """Somebody has signed the dossier of an asset: a statement on the digest of its manifest, in a role at the site."""

    signature_id: str
    dossier_id: str
    sha256: str
    role: Literal["operator", "approver"]
    statement: str
