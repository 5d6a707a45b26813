"""A dossier's file, read by who believes nothing: its manifest, and each file that the manifest names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any

import msgspec

from services.inventory.dossier.canonical import NotCanonical, decode, digest
from services.inventory.dossier.container import NotADossier, Placed, read_content, read_members
from services.inventory.dossier.record import FORMAT

MANIFEST, PDF, PROOFS = "manifest.json", "dossier.pdf", "proofs/"
MAX_MANIFEST = 64 << 20


class Described(msgspec.Struct, frozen=True):
    """A file as the manifest names it."""

    path: str
    size: int
    sha256: str


class NamedEvent(msgspec.Struct, frozen=True):
    """An event as the manifest names it."""

    id: str
    type: str
    subject: str
    sha256: str


class NamedAsset(msgspec.Struct, frozen=True):
    """The asset that a dossier is of."""

    id: str
    site_id: str
    kind: str
    name: str


class Manifest(msgspec.Struct, frozen=True):
    """What a verifier reads of a manifest; the rest is for people."""

    format: str
    asset: NamedAsset
    files: list[Described]
    documents: list[Described]
    events: list[NamedEvent]
    transitions: list[dict[str, Any]]
    evidence: list[dict[str, Any]]
    waivers: list[dict[str, Any]]
    certificates: list[dict[str, Any]]
    custody: list[dict[str, Any]]
    disposals: list[dict[str, Any]]


@dataclass(frozen=True)
class Package:
    """A dossier whose files are those that its manifest names, to the byte. ``proofs`` are not looked into yet."""

    manifest: Manifest
    digest: str
    sealed: Sequence[Placed]
    proofs: Sequence[Placed]


def read_package(file: IO[bytes]) -> Package:
    """Reads a whole dossier but for its proofs, with flat memory. Raises NotADossier with the first fault."""
    members = read_members(file)
    if not members or members[0].path != MANIFEST:
        raise NotADossier(f"the first file must be {MANIFEST}")
    if members[0].size > MAX_MANIFEST:
        raise NotADossier(f"{MANIFEST} has {members[0].size} bytes; the limit is {MAX_MANIFEST}")
    raw = b"".join(read_content(file, members[0]))
    manifest = _parse(raw)
    end = 1 + len(manifest.files)
    _check_named(manifest, members[1:end])
    for member, described in zip(members[1:end], manifest.files, strict=True):
        _check_file(file, member, described)
    for member in members[end:]:
        if not member.path.startswith(PROOFS):
            raise NotADossier(f"{member.path} is no file that the manifest names")
    return Package(manifest, digest(raw), members[:end], members[end:])


def _parse(raw: bytes) -> Manifest:
    try:
        manifest = msgspec.convert(decode(raw), Manifest)
    except (NotCanonical, msgspec.ValidationError) as exc:
        raise NotADossier(f"{MANIFEST}: {exc}") from exc
    if manifest.format != FORMAT:
        raise NotADossier(f"{MANIFEST}: the format {manifest.format!r} is not {FORMAT}")
    return manifest


def _check_named(manifest: Manifest, members: Sequence[Placed]) -> None:
    """Whether the files are those that the manifest names, in its order, and the documents are among them."""
    named = [one.path for one in manifest.files]
    documents = sorted({(one.path, one.size, one.sha256) for one in manifest.documents})
    files = [(one.path, one.size, one.sha256) for one in manifest.files]
    if named[:1] != [PDF] or files[1:] != documents:
        raise NotADossier(f"{MANIFEST}: its files are not {PDF} and its documents")
    found = [member.path for member in members]
    for path, other in zip(named, found, strict=False):
        if path != other:
            raise NotADossier(f"{path} is missing; {other} stands in its place")
    if len(found) < len(named):
        raise NotADossier(f"{named[len(found)]} is missing")


def _check_file(file: IO[bytes], member: Placed, described: Described) -> None:
    hashed = sha256()
    for piece in read_content(file, member):
        hashed.update(piece)
    if (member.size, hashed.hexdigest()) != (described.size, described.sha256):
        raise NotADossier(f"{member.path} is not the file whose SHA-256 the manifest has")


def pairs(package: Package) -> Iterator[tuple[str, Placed, Placed]]:
    """The proofs in their order: the id of an event, its entry and the proof of it. Raises NotADossier."""
    if len(package.proofs) % 2:
        raise NotADossier("an entry and its proof stand side by side; one of them is missing")
    for entry, proof in zip(package.proofs[::2], package.proofs[1::2], strict=True):
        name = entry.path.removeprefix(PROOFS).removesuffix(".entry")
        if (entry.path, proof.path) != proof_paths(name):
            raise NotADossier(f"{entry.path} and {proof.path} are not an entry and its proof")
        yield name, entry, proof


def proof_paths(event_id: str) -> tuple[str, str]:
    """Where the entry of an event and its proof stand."""
    return f"{PROOFS}{event_id}.entry", f"{PROOFS}{event_id}.tlog-proof"
