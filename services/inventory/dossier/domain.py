"""Rules of dossiers: when a life is complete, what changes one, and whose signatures count."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.inventory.assets.domain import Component, System
from services.inventory.custody.disposal import why_custody_is_open, why_not_on_manifest
from services.inventory.dossier.record import SANITIZED, Life, certificates
from services.inventory.lifecycle.domain import FINAL
from shared.errors import Conflict
from shared.events import Instant
from shared.events.decommissioning import DossierSealed, DossierSigned
from shared.resource import Body, Prose, Resource

SHA256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
ID = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b34"
SIGNATURES = 2
SignerRole = Literal["operator", "approver"]


class File(BaseModel):
    """A file in a dossier."""

    model_config = ConfigDict(frozen=True)

    path: str = Field(examples=["dossier.pdf"])
    size: int
    sha256: str = Field(examples=[SHA256])
    crc32: int


class Signature(BaseModel):
    """Somebody's statement on the digest of a dossier, in his role at the site."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(examples=[ID])
    signer: str = Field(examples=["alice"])
    role: SignerRole
    statement: str = Field(examples=["I have read the dossier and it is complete."])
    signed_at: Instant


class Dossier(Resource):
    """A sealed dossier. ``sha256`` is the digest of its manifest: what is signed and what the audit log keeps.

    ``changed`` names what is told otherwise now than in the dossier; then it has to be sealed and signed anew.
    """

    id: str = Field(examples=[ID])
    asset_id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10"])
    site_id: str = Field(examples=["north"])
    sha256: str = Field(examples=[SHA256])
    size: int = Field(description="of the file, in bytes", examples=[4_182_211])
    files: int = Field(examples=[12])
    sealed_by: str = Field(examples=["alice"])
    sealed_at: Instant
    signatures: list[Signature] = Field(default_factory=list)
    changed: list[str] = Field(default_factory=list, examples=[["custody"]])


class SignDossier(Body):
    """The digest that somebody signs, and what he says of it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"sha256": SHA256, "statement": "I have read the dossier and it is complete."}]}
    )

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    statement: Prose = Field(min_length=1, max_length=2000)


class Incomplete(Conflict):
    """A life that a dossier can't be sealed of; the answer names all that is missing."""

    def __init__(self, name: str, missing: Sequence[str]) -> None:
        super().__init__(f"the dossier of {name} can't be sealed: {'; '.join(missing)}", missing=list(missing))


def check_complete(life: Life) -> None:
    """Raises Conflict unless the asset is disposed of, Incomplete naming each part, medium or step that is missing."""
    if life.asset.state != "disposed":
        raise Conflict(f"{life.asset.kind} {life.asset.name} is {life.asset.state}; a dossier is sealed when disposed")
    if missing := [*_missing(life)]:
        raise Incomplete(life.asset.name, missing)


def _missing(life: Life) -> Iterator[str]:
    alive = [one.name for one in life.parts if one.state not in FINAL]
    if alive:
        yield f"neither closed nor cancelled: {', '.join(sorted(alive))}"
    yield from _uncertified(life)
    chains = {one.id: life.chain(one.id) for one in life.components}
    if isinstance(life.asset, System | Component) and (why := why_custody_is_open(life.asset, life.components, chains)):
        yield f"custody: {why}"
    on_manifest = [line.asset_id for disposal in life.disposals for line in disposal.lines]
    if why := why_not_on_manifest(life.components, on_manifest):
        yield why
    if untold := steps_untold(life):
        yield f"the audit trail has not told of {untold} of its steps yet; try again in a moment"


def _uncertified(life: Life) -> Iterator[str]:
    certified = {fact.subject for fact in certificates(life)}
    for medium in life.media:
        if medium.id not in certified and not _is_shown_on_paper(life, medium.id):
            held = any(one.source == "document" and medium.id in one.covers for one in life.evidence)
            held |= any(fact.type == SANITIZED and fact.subject == medium.id for fact in life.facts)
            why = "its certificate was not validated by another than its verifier" if held else "it has none"
            yield f"certificate of sanitization of {medium.name} (serial number {medium.serial or 'unknown'}): {why}"


def _is_shown_on_paper(life: Life, medium_id: str) -> bool:
    """Whether somebody has recorded a document for a medium, and an approver, another person, speaks of it."""
    standing = [one for one in life.evidence if medium_id in one.covers and one.revoked_at is None]
    recorders = {one.recorded_by for one in standing if one.source == "document"}
    approvers = {one.recorded_by for one in standing if one.source == "statement" and one.role == "approver"}
    return any(approvers - {recorder} for recorder in recorders)


def steps_untold(life: Life) -> int:
    """How many steps of the life the audit trail has not told back yet; each version of a record is one."""
    steps = len(life.transitions) + len(life.custody) + len(life.disposals)
    steps += sum(one.version for one in life.evidence) + sum(one.version for one in life.waivers)
    return max(0, steps - len(life.told))


def changes_since(manifest: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    """Which parts of the record are not as the manifest has them."""
    return sorted(name for name, value in record.items() if manifest.get(name) != value)


def check_signable(dossier: Dossier, sha256: str) -> None:
    """Raises Conflict unless the digest is the dossier's and nothing has changed since it was sealed."""
    if sha256 != dossier.sha256:
        raise Conflict(f"the newest dossier of the asset has the digest {dossier.sha256}", sha256=dossier.sha256)
    if dossier.changed:
        raise Conflict(f"since the dossier was sealed, these have changed: {', '.join(dossier.changed)}; seal it anew")


def check_other_signer(same: Collection[str]) -> None:
    """Raises Conflict where somebody has signed already, under any of his names."""
    if same:
        told = f"{min(same)} has signed this dossier already; the other signature is another person's"
        raise Conflict(told)


def why_not_sealed(dossier: Dossier | None) -> str | None:
    """Why there is no dossier that counts; None where there is."""
    if dossier is None:
        return "no dossier was sealed"
    if dossier.changed:
        return f"since the dossier was sealed, these have changed: {', '.join(dossier.changed)}"
    return None


def why_not_signed(dossier: Dossier | None) -> str | None:
    """Whose signature the newest dossier lacks; None where two people have signed, one of them as approver."""
    if why := why_not_sealed(dossier):
        return why
    signatures = dossier.signatures if dossier else []
    signers = {one.signer for one in signatures}
    if len(signers) < SIGNATURES:
        return f"signed by {', '.join(sorted(signers)) or 'nobody'}; two people must sign"
    if not any(one.role == "approver" for one in signatures):
        return f"signed by {', '.join(sorted(signers))}; one of them must be an approver"
    return None


def sealed(dossier: Dossier) -> DossierSealed:
    """What ``dossier.sealed`` tells."""
    return DossierSealed(
        dossier_id=dossier.id,
        sha256=dossier.sha256,
        files=dossier.files,
        size=dossier.size,
        version=dossier.version,
    )


def signed(dossier: Dossier, signature: Signature) -> DossierSigned:
    """What ``dossier.signed`` tells."""
    return DossierSigned(
        signature_id=signature.id,
        dossier_id=dossier.id,
        sha256=dossier.sha256,
        role=signature.role,
        statement=signature.statement,
    )
