"""Events of inventory about what is written: documents, forms of security, and the software that was found."""

from typing import Literal

from shared.events.contract import EventData

DocumentKind = Literal[
    "manual",
    "quick_reference",
    "network_plan",
    "risk_analysis",
    "needs_assessment",
    "mds2",
    "sbom",
    "conformance",
    "certificate",
    "agreement",
    "photo",
    "report",
    "other",
]
SoftwareType = Literal[
    "application",
    "framework",
    "library",
    "container",
    "platform",
    "operating-system",
    "device",
    "device-driver",
    "firmware",
    "file",
    "machine-learning-model",
    "data",
    "cryptographic-asset",
]
"""The types of components that CycloneDX 1.6 has."""


class DocumentChanged(EventData, event_type="document.changed", compacted=True, partitions=1):
    """A document's full state; the subject is its id. The content is not told, but its digest is.

    ``size`` is in bytes, ``sha256`` in hex. ``valid_until`` is a date.
    """

    kind: DocumentKind
    title: str
    name: str
    media_type: str
    size: int
    sha256: str
    asset_ids: list[str]
    version: int
    change_id: str | None = None
    valid_until: str | None = None


class SoftwareListed(EventData, event_type="software.listed"):
    """An asset's software is what an SBOM says, from now on; the subject is the asset.

    ``sha256`` is the digest of the SBOM. ``unapproved`` counts what no approved list allows; it is null where no list
    applies to the asset.
    """

    document_id: str
    sha256: str
    items: int
    added: int
    removed: int
    changed: int
    unapproved: int | None = None


class ApprovedSoftwareChanged(EventData, event_type="approved_software.changed", compacted=True, partitions=1):
    """An entry of the approved list, in full; the subject is its id, its site is ``group`` where it holds for all.

    An entry that is ``deleted`` approves nothing any more.
    """

    name: str
    versions: str | None
    software_type: SoftwareType | None
    asset_type: str | None
    version: int
    deleted: bool = False


class Mds2Recorded(EventData, event_type="mds2.recorded"):
    """The answers of an MDS2 form count for an asset from now on; the subject is the asset.

    ``sha256`` is the digest of the form; ``lacking`` are the questions on security capabilities answered No.
    """

    document_id: str
    sha256: str
    answers: int
    lacking: list[str]
