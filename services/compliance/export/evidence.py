"""Evidence of one site's entries of a period: authentic, because the signed root follows from them, and complete.

The package is the log of a signed size, from first to last, in which every stretch of entries that does not belong to
it is replaced by the hashes of the perfect subtrees over that stretch. So the root is computed in one pass, no hash is
there twice, and neither a million entries nor a million gaps need memory. docs/decisions/0014-evidence-package.md says
why this proves that none is missing.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Any, TypeGuard

from services.compliance.checkpoints.checkpoint import SignedCheckpoint, parse_hash
from services.compliance.checkpoints.manifest import TYPE, site_line
from services.compliance.checkpoints.note import encode_base64
from services.compliance.log.entry import Entry, NotAnEntry, format_time, parse_entry
from services.compliance.log.hashing import HASH_BYTES, fold, leaf_hashes
from services.compliance.log.proofs import NotProved, PerfectSubtree, inclusion_spans, verify_inclusion
from services.compliance.log.tree import leaf_hash, node_hash
from shared.errors import StewardError
from shared.events import GROUP

FORMAT = "steward-evidence"
VERSION = 1
MAX_LEVEL = 62


class NotEvidence(StewardError):
    """The package does not show what it claims; says which part of it, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a package is about: the entries of a site that were recorded from ``start`` up to, without, ``end``."""

    site_id: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry that is in the package, by its exact bytes."""

    index: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Left:
    """``2**level`` entries from ``index`` on that are not, by the hash of the subtree over them."""

    index: int
    level: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class SiteProof:
    """The site's line in the last manifest: how many entries the site had then, and where its line stands."""

    head: int
    number: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a package has shown. All entries of the site recorded before ``complete_until`` are there, from ``start``.

    ``complete_until`` is the end of the period, or earlier where the log had not come as far when it was signed.
    Sequences are None for a period without an entry. ``signers`` are the trusted keys whose signatures were verified.
    """

    claim: Claim
    entries: int
    first_sequence: int | None
    last_sequence: int | None
    complete_until: datetime
    origin: str
    size: int
    root: bytes
    signers: tuple[str, ...]


def describe(claim: Claim) -> bytes:
    """The package's ``format.json``. Times have one form, so the file has."""
    told = {
        "format": FORMAT,
        "version": VERSION,
        "site_id": claim.site_id,
        "from": format_time(claim.start),
        "to": format_time(claim.end),
    }
    return json.dumps(told, indent=1).encode() + b"\n"


def read_claim(raw: bytes) -> Claim:
    """Reads ``format.json``. Raises NotEvidence."""
    told = _object(raw, "format.json")
    if told.get("format") != FORMAT or told.get("version") != VERSION:
        raise NotEvidence(f"format.json: this verifier knows {FORMAT}, version {VERSION}")
    try:
        claim = Claim(str(told["site_id"]), _time(told["from"]), _time(told["to"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise NotEvidence("format.json: site_id, from and to must be given") from exc
    if describe(claim) != raw:
        raise NotEvidence("format.json: is not written in its one form")
    return claim


def describe_site(proof: SiteProof) -> bytes:
    """The package's ``head.json``."""
    told = {"head": proof.head, "number": proof.number, "proof": [encode_base64(node) for node in proof.proof]}
    return json.dumps(told, indent=1).encode() + b"\n"


def read_site(raw: bytes) -> SiteProof:
    """Reads ``head.json``. Raises NotEvidence."""
    told = _object(raw, "head.json")
    head, number, nodes = told.get("head"), told.get("number"), told.get("proof")
    if not (_is_count(head) and _is_count(number) and isinstance(nodes, list)):
        raise NotEvidence("head.json: head, number and proof must be given")
    hashes = [parse_hash(node) if isinstance(node, str) else None for node in nodes]
    proof = SiteProof(head, number, tuple(node for node in hashes if node is not None))
    if describe_site(proof) != raw:
        raise NotEvidence("head.json: is not written in its one form")
    return proof


def write_line(record: Kept | Left) -> bytes:
    """A line of ``entries.ndjson``."""
    told: dict[str, Any] = {"index": record.index}
    if isinstance(record, Kept):
        told["entry"] = record.raw.decode()
    else:
        told |= {"level": record.level, "hash": encode_base64(record.hash)}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def read_line(raw: bytes, number: int) -> Kept | Left:
    """Reads the line of that number. Every line has one form only. Raises NotEvidence."""
    where = f"entries.ndjson, line {number}"
    told = _object(raw, where)
    index, entry, level, encoded = (told.get(name) for name in ("index", "entry", "level", "hash"))
    record: Kept | Left | None = None
    if _is_count(index) and isinstance(entry, str):
        record = Kept(index, entry.encode(errors="replace"))
    elif _is_count(index) and _is_count(level) and isinstance(encoded, str) and (node := parse_hash(encoded)):
        record = Left(index, level, node)
    if record is None or write_line(record) != raw:
        raise NotEvidence(f"{where}: is neither an entry nor a hash in its one form")
    return record


def cover(start: int, end: int) -> Iterator[PerfectSubtree]:
    """The fewest perfect subtrees over the entries from ``start`` up to ``end``, from left to right."""
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield PerfectSubtree(level, start >> level)
        start += 1 << level


def prove_site(site_id: str, lines: Sequence[bytes]) -> SiteProof | None:
    """The proof of the site's line among a manifest's; None when it has none, for then it had no entry."""
    number = next((at for at, line in enumerate(lines) if line.split(b" ")[0] == site_id.encode()), None)
    if number is None:
        return None
    hashes = leaf_hashes(lines)
    spans = inclusion_spans(number, len(lines))
    proof = tuple(fold(hashes[start * HASH_BYTES : end * HASH_BYTES]) for start, end in spans)
    return SiteProof(int(lines[number].split(b" ")[1]), number, proof)


class Reading:
    """Takes a package's lines in their order, and believes the claim only when all of them bear it out."""

    def __init__(self, claim: Claim, signed: SignedCheckpoint) -> None:
        self._claim = claim
        self._signed = signed
        self._tree = _Tree(signed.size)
        self._recorded_at = datetime.min.replace(tzinfo=UTC)
        self._site = _SiteEntries(claim)
        self._last: Entry | None = None

    @property
    def width(self) -> int:
        """How many of the log's entries the lines so far are over."""
        return self._tree.width

    def take(self, record: Kept | Left) -> None:
        """Adds what a line holds. Raises NotEvidence."""
        if record.index != self._tree.width:
            raise NotEvidence(f"entries.ndjson: {record.index} stands where entry {self._tree.width} should")
        if isinstance(record, Left):
            self._tree.add(record.level, record.hash)
            return
        self._tree.add(0, leaf_hash(record.raw))
        try:
            entry = parse_entry(record.raw)
        except NotAnEntry as exc:
            raise NotEvidence(f"entry {record.index}: {exc}") from exc
        if entry.recorded_at < self._recorded_at:
            raise NotEvidence(f"entry {record.index}: was recorded before the entry that precedes it")
        self._recorded_at = entry.recorded_at
        is_last = self._tree.width == self._signed.size
        self._last = entry if is_last else None
        if entry.site_id == self._claim.site_id:
            self._site.add(record.index, entry, is_manifest=is_last)
        elif not is_last:
            raise NotEvidence(f"entry {record.index}: is of the site {entry.site_id}")

    def conclude(self, site: SiteProof) -> Evidence:
        """What all lines together show. Raises NotEvidence."""
        signed = self._signed
        if self._tree.width != signed.size:
            raise NotEvidence(f"entries.ndjson: ends at entry {self._tree.width}, and {signed.size} are signed")
        if self._tree.root() != signed.root:
            raise NotEvidence(
                "entries.ndjson: an entry or a hash was changed: the root over them is not the signed one"
            )
        if self._last is None:
            raise NotEvidence(f"entries.ndjson: entry {signed.size - 1}, the manifest, is missing")
        check_site(self._claim.site_id, site, self._last)
        self._site.check_bounds(site.head)
        until = self._claim.end if self._site.has_after else min(self._claim.end, self._last.recorded_at)
        if until <= self._claim.start:
            raise NotEvidence("format.json: the log was signed before the period began")
        return Evidence(
            claim=self._claim,
            entries=self._site.count,
            first_sequence=self._site.first if self._site.count else None,
            last_sequence=self._site.last if self._site.count else None,
            complete_until=until,
            origin=signed.checkpoint.origin,
            size=signed.size,
            root=signed.root,
            signers=tuple(signature.name for signature in signed.note.trusted),
        )


def check_site(site_id: str, site: SiteProof, manifest: Entry) -> None:
    """Returns when the manifest is one, and says that the site had ``site.head`` entries. Raises NotEvidence."""
    event = _object(manifest.event, "the manifest")
    data = event.get("data")
    root = parse_hash(str(data.get("root"))) if isinstance(data, dict) else None
    sites = data.get("sites") if isinstance(data, dict) else None
    if manifest.site_id != GROUP or event.get("type") != TYPE or root is None or not _is_count(sites):
        raise NotEvidence("entries.ndjson: the last entry is no manifest")
    try:
        verify_inclusion(site.number, sites, leaf_hash(site_line(site_id, site.head)), site.proof, root)
    except NotProved as exc:
        raise NotEvidence(
            f"head.json: the manifest does not say that {site_id} has {site.head} entries: {exc}"
        ) from exc


class _SiteEntries:
    """The site's own entries of a package: one before the period, those of it, one after it."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._next: int | None = None
        self._has_before = False
        self._opens_at_0 = False
        self.has_after = False
        self.count = 0
        self.first = self.last = -1

    def add(self, index: int, entry: Entry, *, is_manifest: bool) -> None:
        sequence = entry.site_sequence
        if is_manifest and self.has_after and sequence >= (self._next or 0):
            return
        if self._next is None:
            self._opens_at_0 = sequence == 0
        elif sequence != self._next:
            raise NotEvidence(f"entry {index}: has the site's number {sequence}, and {self._next} should follow")
        self._next = sequence + 1
        if entry.recorded_at < self._claim.start:
            self._bound(index, "before", self._has_before)
            self._has_before = True
        elif entry.recorded_at >= self._claim.end:
            self._bound(index, "after", self.has_after)
            self.has_after = True
        else:
            self.first = sequence if not self.count else self.first
            self.last = sequence
            self.count += 1

    def check_bounds(self, head: int) -> None:
        """Raises NotEvidence unless nothing can be missing at either end."""
        if self._next is None:
            raise NotEvidence("entries.ndjson: holds no entry of the site")
        if not (self._has_before or self._opens_at_0):
            raise NotEvidence("entries.ndjson: nothing shows that no entry is missing at the beginning of the period")
        if head < self._next or (head > self._next and not self.has_after):
            raise NotEvidence(
                f"entries.ndjson: ends with number {self._next - 1} of the site, which had {head} entries: "
                "nothing shows that none is missing at the end of the period"
            )

    @staticmethod
    def _bound(index: int, where: str, is_known: bool) -> None:
        if is_known:
            raise NotEvidence(f"entry {index}: lies {where} the period, and one there is enough")


class _Tree:
    """A tree that grows by whole subtrees: the perfect ones that it has so far, largest first."""

    def __init__(self, size: int) -> None:
        self.width = 0
        self._size = size
        self._subtrees: list[tuple[int, bytes]] = []

    def add(self, level: int, node: bytes) -> None:
        if level > MAX_LEVEL or self.width % (1 << level) or self.width + (1 << level) > self._size:
            raise NotEvidence(f"entries.ndjson: no subtree of level {level} stands at entry {self.width}")
        self.width += 1 << level
        while self._subtrees and self._subtrees[-1][0] == level:
            node = node_hash(self._subtrees.pop()[1], node)
            level += 1
        self._subtrees.append((level, node))

    def root(self) -> bytes:
        hashes: Sequence[bytes] = [node for _, node in self._subtrees]
        return reduce(lambda right, left: node_hash(left, right), reversed(hashes))


def _object(raw: bytes, where: str) -> dict[str, Any]:
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise NotEvidence(f"{where}: is no JSON") from exc
    if not isinstance(told, dict):
        raise NotEvidence(f"{where}: is no JSON object")
    return told


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 1 << 63


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError("a time must have its zone")
    return moment
