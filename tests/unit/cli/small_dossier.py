"""A dossier of a small life, with its proofs from a small log; each of its parts can be another on purpose."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any
from zlib import crc32

from services.compliance.checkpoints.proof_file import ProofFile, build_proof_file
from services.compliance.log.entry import Entry, build_entry
from services.compliance.log.tree import leaf_hash
from services.inventory.assets.domain import System
from services.inventory.custody.disposal import Disposal, DisposalLine, digest_of
from services.inventory.custody.domain import told
from services.inventory.documents.domain import Document
from services.inventory.dossier import canonical
from services.inventory.dossier.container import Member, directory, local_header
from services.inventory.dossier.package import proof_paths
from services.inventory.dossier.record import Life, ToldEvent, manifest_of, record_of
from services.inventory.evidence.domain import EventFact, EvidenceRecord
from services.inventory.evidence.domain import full_state as evidence_told
from services.inventory.lifecycle.domain import Transition
from services.inventory.sites.domain import Site
from services.inventory.waivers.domain import Waiver
from services.inventory.waivers.domain import full_state as waiver_told
from shared.events import EventData, encode_unsequenced, with_sequence
from shared.events.backup import MediaSanitized
from shared.events.decommissioning import DisposalRecorded, DossierSigned
from shared.events.inventory import AssetRetired, AssetTransitioned
from tests.small_log import SmallLog
from tests.unit.inventory.custody.chains import NOW, RECYCLER, chain, drive, link

SYSTEM_ID = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10"
PAPER = b"A paper of the archive"
PDF = b"%PDF-1.3 small"
SYSTEM = System.model_validate(
    {
        "id": SYSTEM_ID,
        "site_id": "north",
        "name": "North archive",
        "state": "disposed",
        "software": {"vendor": "V", "product": "P", "version": "1"},
        "version": 7,
    }
)
DRIVE = drive(state="closed", system_id=SYSTEM_ID)
LINKS = [
    one.model_copy(update={"asset_id": DRIVE.id})
    for one in chain(link("handed_over", "Ward 3", "IT store"), link("picked_up", "IT store", "Greenloop", 2))
]
LINES = [
    DisposalLine(
        asset_id=DRIVE.id,
        type="drive",
        serial="Z-0000",
        manufacturer=None,
        model=None,
        weight_kg=0.72,
        category="it_equipment",
    )
]
DISPOSAL = Disposal(
    id="d1",
    asset_id=SYSTEM_ID,
    site_id="north",
    recycler_id=RECYCLER.id,
    recycler="Greenloop",
    downstream=[],
    reference="GL-1",
    lines=LINES,
    weight_kg=0.72,
    sha256=digest_of(LINES),
    recorded_by="alice",
    recorded_at=NOW,
    version=1,
)
SANITIZED = MediaSanitized(
    certificate_id="c1",
    system_id=SYSTEM_ID,
    manufacturer="Voltara",
    model="Spin 4",
    serial_number="Z-0000",
    media_type="hdd",
    method="purge",
    technique="cryptographic erase",
    verified_by="vera",
    validated_by="valentin",
    validated=True,
    sanitized_at=NOW,
    certificate="0" * 64,
)
MOVE = Transition(
    id="t1", asset_id=SYSTEM_ID, from_state="sanitized", to_state="disposed", reason="gone", actor="alice", at=NOW
)
EVIDENCE = EvidenceRecord.model_validate(
    {
        **{"id": "e1", "asset_id": SYSTEM_ID, "site_id": "north", "kind": "budget", "source": "document"},
        **{"what": "budget", "reference": "paper", "sha256": sha256(PAPER).hexdigest(), "statement": None},
        **{"role": None, "covers": [], "data": {}, "at": NOW, "valid_until": None, "policy_version": 1},
        **{"recorded_by": "alice", "recorded_at": NOW, "version": 2},
        **{"revoked_by": "bruno", "revoked_at": NOW, "revoked_reason": "wrong paper"},
    }
)
WAIVER = Waiver(
    id="w1",
    asset_id=SYSTEM_ID,
    site_id="north",
    kind="risk_analysis",
    state="requested",
    reason="later",
    expires_at=NOW + timedelta(days=9),
    requested_by="alice",
    requested_at=NOW,
    version=1,
)
DOCUMENT = Document(
    id="paper",
    site_id="north",
    kind="report",
    title="A paper",
    asset_ids=[SYSTEM_ID],
    change_id=None,
    valid_until=None,
    made_at=NOW,
    made_by="alice",
    name="paper.txt",
    media_type="text/plain",
    size=len(PAPER),
    sha256=sha256(PAPER).hexdigest(),
    version=1,
)


class EntryLog(SmallLog):
    """A small log of these entries."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        super().__init__()
        self.entries = entries

    def leaf(self, index: int) -> bytes:
        """The hash of the entry."""
        return leaf_hash(self.entries[index])

    def proof(self, index: int) -> bytes:
        """The proof file of the entry under the checkpoint of all."""
        size = len(self.entries)
        return build_proof_file(ProofFile(index, tuple(self.inclusion(index, size)), self.note(size)))


@dataclass(frozen=True)
class Said:
    """An event that was published."""

    id: str
    data: EventData
    subject: str
    actor: str = "alice"
    source: str = "/services/inventory"
    site_id: str = "north"

    @property
    def raw(self) -> bytes:
        """Its bytes on the wire."""
        body = encode_unsequenced(
            self.data,
            event_id=self.id,
            source=self.source,
            subject=self.subject,
            time=NOW,
            site_id=self.site_id,
            actor=self.actor,
            correlation_id="flow",
            causation_id=None,
            traceparent=None,
        )
        return with_sequence(body, 1)


STEPS = (
    Said("ev-1", AssetTransitioned(from_state="sanitized", to_state="disposed", reason="gone"), SYSTEM_ID),
    Said("ev-2", evidence_told(EVIDENCE.model_copy(update={"revoked_at": None, "version": 1})), SYSTEM_ID),
    Said("ev-3", evidence_told(EVIDENCE), SYSTEM_ID),
    Said("ev-4", waiver_told(WAIVER), SYSTEM_ID),
    Said("ev-5", told(LINKS[0]), DRIVE.id),
    Said("ev-6", told(LINKS[1]), DRIVE.id),
    Said(
        "ev-7",
        DisposalRecorded(
            disposal_id="d1",
            recycler_id=RECYCLER.id,
            reference="GL-1",
            lines=1,
            weight_kg=0.72,
            sha256=DISPOSAL.sha256,
        ),
        SYSTEM_ID,
    ),
    Said("ev-8", SANITIZED, DRIVE.id, source="/services/backup"),
)


def signature(digest: str, event_id: str, actor: str, role: Any = "operator") -> Said:
    """A person's signature on a digest."""
    data = DossierSigned(signature_id=event_id, dossier_id="x", sha256=digest, role=role, statement="I have read it.")
    return Said(event_id, data, SYSTEM_ID, actor)


def ending(digest: str) -> list[Said]:
    """Two signatures, one of an approver, and the end of the system with that digest."""
    retired = AssetRetired(kind="system", name="North archive", reason="over", dossier_sha256=digest)
    return [
        signature(digest, "ev-a", "anna"),
        signature(digest, "ev-b", "bruno", "approver"),
        Said("ev-c", retired, SYSTEM_ID, "anna"),
    ]


def life() -> Life:
    """The small life."""
    step = [ToldEvent(one.id, one.data.event_type, one.subject, sha256(one.raw).hexdigest()) for one in STEPS]
    certified = {"subject": DRIVE.id, **SANITIZED.model_dump(mode="json")}
    fact = EventFact(
        id="ev-8",
        type="media.sanitized",
        subject=DRIVE.id,
        site_id="north",
        at=NOW,
        sha256=step[7].sha256,
        data=certified,
    )
    return Life(
        asset=SYSTEM,
        site=Site(id="north", name="Northfield", time_zone="UTC", version=1),
        parts=[DRIVE],
        left=[],
        transitions=[MOVE],
        decisions=[],
        policies=[],
        evidence=[EVIDENCE],
        waivers=[WAIVER],
        custody=LINKS,
        disposals=[DISPOSAL],
        documents=[DOCUMENT],
        facts=[fact],
        told=step[:7],
    )


@dataclass
class SmallDossier:
    """A dossier in the making: ``tamper`` changes the manifest before it is signed."""

    tamper: Callable[[dict[str, Any]], object] = lambda manifest: None
    steps: Sequence[Said] = STEPS
    end: Callable[[str], Sequence[Said]] = ending
    files: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        listed = [{"path": "dossier.pdf", "size": len(PDF), "sha256": sha256(PDF).hexdigest()}]
        paper = f"documents/{sha256(PAPER).hexdigest()}.txt"
        listed.append({"path": paper, "size": len(PAPER), "sha256": sha256(PAPER).hexdigest()})
        manifest = manifest_of(record_of(life()), listed, "alice", NOW)
        self.tamper(manifest)
        raw = canonical.encode(manifest)
        self.files = {"manifest.json": raw, "dossier.pdf": PDF, paper: PAPER}
        self._prove([*self.steps, *self.end(canonical.digest(raw))])

    def _prove(self, said: Sequence[Said]) -> None:
        entries = [build_entry(Entry(one.site_id, n, NOW, one.raw)) for n, one in enumerate(said)]
        log = EntryLog(entries)
        for index, one in enumerate(said):
            entry, proof = proof_paths(one.id)
            self.files |= {entry: entries[index], proof: log.proof(index)}

    @property
    def raw(self) -> bytes:
        """The file."""
        return pack(self.files)


def bare() -> bytes:
    """A dossier of one step, with as few bytes as one can have."""

    def strip(manifest: dict[str, Any]) -> None:
        for name in ("parts", "evidence", "waivers", "certificates", "custody", "disposals", "privacy"):
            manifest[name].clear()
        del manifest["events"][1:]

    return SmallDossier(strip, STEPS[:1]).raw


def pack(files: dict[str, bytes]) -> bytes:
    """Files in the form of a dossier, whatever they are."""
    members = [Member(path, len(content), crc32(content)) for path, content in files.items()]
    return b"".join(local_header(one) + files[one.path] for one in members) + directory(members)


def opened(raw: bytes) -> io.BytesIO:
    """The file, to be read."""
    return io.BytesIO(raw)
