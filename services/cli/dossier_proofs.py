"""What a dossier's proofs show: its steps, its signatures and its end are in the audit log, as the manifest tells them.

Nothing is trusted but the log's public key, and the witnesses' where they are given.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any

import msgspec

from services.compliance.checkpoints.proof_file import MAX_FILE_BYTES, parse_proof_file_unverified, verify_proof_file
from services.compliance.log.entry import MAX_ENTRY_BYTES, parse_entry
from services.compliance.log.tree import leaf_hash
from services.compliance.search.domain import Shown
from services.inventory.dossier import canonical
from services.inventory.dossier.container import NotADossier, Placed, read_content
from services.inventory.dossier.package import Manifest, Package, pairs
from shared.errors import StewardError

if TYPE_CHECKING:
    from services.compliance.verify.seals import Trust

SIGNED, RETIRED, CERTIFIED = "dossier.signed", "asset.retired", "media.sanitized"
SOURCE = "/services/inventory"
SIGNERS = 2
Told = dict[str, Any]
Row = list[object]
_MOVE = ("from_state", "to_state", "reason")
_LINK = ("number", "kind", "from_holder", "to_holder", "at", "place", "seal", "person", "recycler_id", "certificate")
_EVIDENCE = ("kind", "source", "reference", "sha256", "statement", "covers", "policy_version")
_WAIVER = ("kind", "reason", "expires_at", "requested_by")


class FoundPage(msgspec.Struct, frozen=True):
    """A page of entries, as the search gives it."""

    items: list[Shown]
    next: str | None


class Proven(msgspec.Struct, frozen=True):
    """An event that the log has."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    siteid: str
    actor: str
    data: Told


@dataclass(frozen=True)
class InLog:
    """A proven event, the digest of its bytes, and its place in the log of that origin and size."""

    event: Proven
    sha256: str
    index: int
    origin: str
    size: int


@dataclass(frozen=True)
class Verdict:
    """What a sound dossier shows."""

    signers: Sequence[str]
    entries: int
    retired: InLog


def check_proofs(package: Package, file: IO[bytes], trust: "Trust") -> Verdict:
    """Raises NotADossier with the first thing that is not as it must be."""
    found = [_open(file, *pair, package.manifest.asset.site_id, trust) for pair in pairs(package)]
    named = package.manifest.events
    for described, one in zip(named, found, strict=False):
        shown = (one.event.id, one.event.type, one.event.subject, one.sha256)
        if shown != (described.id, described.type, described.subject, described.sha256):
            raise NotADossier(f"event {described.id} of the manifest is not the one that its place proves")
    if len(found) < len(named):
        raise NotADossier(f"the proof of event {named[len(found)].id} ({named[len(found)].type}) is missing")
    _check_tells(package.manifest, [one.event for one in found[: len(named)]])
    return _check_end(package, found[len(named) :], len(found))


def _open(file: IO[bytes], event_id: str, entry: Placed, proof: Placed, site_id: str, trust: "Trust") -> InLog:
    """The event whose entry is proven to be in the log."""
    raw, proof_raw = _read(file, entry, MAX_ENTRY_BYTES), _read(file, proof, MAX_FILE_BYTES)
    try:
        signed = verify_proof_file(proof_raw, leaf_hash(raw), trust.keys, trust.witnesses, trust.needed)
        place = parse_proof_file_unverified(proof_raw)
        parsed = parse_entry(raw)
        event = msgspec.json.decode(parsed.event, type=Proven)
    except (StewardError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise NotADossier(f"{proof.path}: {exc}") from exc
    if place.extra is not None:
        raise NotADossier(f"{proof.path} holds data that nobody has signed")
    if event.id != event_id:
        raise NotADossier(f"{entry.path} is the entry of event {event.id}")
    if not parsed.site_id == event.siteid == site_id:
        raise NotADossier(f"{entry.path} is an entry of site {parsed.site_id}, and the asset is at {site_id}")
    return InLog(event, sha256(parsed.event).hexdigest(), place.index, signed.checkpoint.origin, signed.size)


def _read(file: IO[bytes], member: Placed, limit: int) -> bytes:
    if member.size > limit:
        raise NotADossier(f"{member.path} has {member.size} bytes; the limit is {limit}")
    return b"".join(read_content(file, member))


def _check_end(package: Package, found: Sequence[InLog], entries: int) -> Verdict:
    """Whether two people signed the digest before the asset was retired with it."""
    if not found or found[-1].event.type != RETIRED:
        raise NotADossier(f"the proof of {RETIRED} is missing, so nothing shows that the dossier is the asset's")
    *signatures, retired = found
    for one, key in ((retired, "dossier_sha256"), *((signature, "sha256") for signature in signatures)):
        _check_is_of(package, one, RETIRED if one is retired else SIGNED, key)
        if one.index > retired.index:
            raise NotADossier(f"signature {one.event.id} was given after the asset was retired")
    signers = sorted({one.event.actor for one in signatures})
    if len(signers) < SIGNERS:
        raise NotADossier(f"signed by {', '.join(signers) or 'nobody'}; two people must have signed")
    if not any(one.event.data.get("role") == "approver" for one in signatures):
        raise NotADossier(f"signed by {', '.join(signers)}; one of them must have signed as approver")
    return Verdict(signers, entries, retired)


def _check_is_of(package: Package, one: InLog, event_type: str, key: str) -> None:
    event, asset = one.event, package.manifest.asset
    if event.type != event_type:
        raise NotADossier(f"event {event.id} ({event.type}) is none that the manifest names")
    if (event.subject, event.source) != (asset.id, SOURCE):
        raise NotADossier(f"event {event.id} ({event.type}) is about {event.subject}, and the dossier is of {asset.id}")
    if event.data.get(key) != package.digest:
        raise NotADossier(
            f"event {event.id} ({event.type}) is of the digest {event.data.get(key)}, "
            f"and the manifest has {package.digest}"
        )


def _check_tells(manifest: Manifest, events: Sequence[Proven]) -> None:
    """Whether the manifest tells each step as its event does, none otherwise and none that has no event."""
    for name, event_type, of_event, of_manifest in _TELLINGS:
        proven = sorted(canonical.encode(of_event(one)) for one in events if one.type == event_type)
        try:
            told = sorted(map(canonical.encode, of_manifest(manifest)))
        except (KeyError, TypeError, canonical.NotCanonical) as exc:
            raise NotADossier(f"manifest.json: {name}: {exc!r} is missing or no such thing") from exc
        if proven != told:
            raise NotADossier(f"manifest.json: its {name} are not those that the audit log tells of")
    certified = {one.id: one.data for one in events if one.type == CERTIFIED}
    for one in manifest.certificates:
        data = certified.get(str(one.get("event_id")))
        if data is None or one | data != one:
            medium = one.get("serial_number")
            raise NotADossier(f"manifest.json: the certificate of {medium} is not the one that the audit log tells of")


def _transitions(manifest: Manifest) -> Iterator[Row]:
    for one in manifest.transitions:
        yield [one["asset_id"], *(one[field] for field in _MOVE), one["actor"], one["at"]]


def _transition(event: Proven) -> Row:
    return [event.subject, *(event.data.get(field) for field in _MOVE), event.actor, event.time]


def _custody(manifest: Manifest) -> Iterator[Row]:
    return ([one["asset_id"], one["id"], *(one[field] for field in _LINK)] for one in manifest.custody)


def _link(event: Proven) -> Row:
    return [event.subject, event.data.get("custody_id"), *(event.data.get(field) for field in _LINK)]


def _disposals(manifest: Manifest) -> Iterator[Row]:
    for one in manifest.disposals:
        lines = canonical.digest(canonical.encode(one["lines"]))
        yield [one["asset_id"], one["id"], one["recycler_id"], one["reference"], lines]


def _disposal(event: Proven) -> Row:
    fields = ("disposal_id", "recycler_id", "reference", "sha256")
    return [event.subject, *(event.data.get(field) for field in fields)]


def _evidence(manifest: Manifest) -> Iterator[Row]:
    for one in manifest.evidence:
        states = ("recorded",) if one["revoked_at"] is None else ("recorded", "revoked")
        yield from ([one["asset_id"], one["id"], state, *(one[field] for field in _EVIDENCE)] for state in states)


def _recorded(event: Proven) -> Row:
    data = event.data
    return [event.subject, data.get("evidence_id"), data.get("state"), *(data.get(field) for field in _EVIDENCE)]


def _waivers(manifest: Manifest) -> Iterator[Row]:
    for one in manifest.waivers:
        for version in range(1, one["version"] + 1):
            yield [one["asset_id"], one["id"], version, *(one[field] for field in _WAIVER)]


def _waiver(event: Proven) -> Row:
    data = event.data
    return [event.subject, data.get("waiver_id"), data.get("version"), *(data.get(field) for field in _WAIVER)]


_TELLINGS: tuple[tuple[str, str, Callable[[Proven], Row], Callable[[Manifest], Iterator[Row]]], ...] = (
    ("transitions", "asset.transitioned", _transition, _transitions),
    ("evidence", "evidence.changed", _recorded, _evidence),
    ("waivers", "waiver.changed", _waiver, _waivers),
    ("links of custody", "custody.changed", _link, _custody),
    ("disposals", "disposal.recorded", _disposal, _disposals),
)
