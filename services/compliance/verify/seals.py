"""What checkpoints claim, and whether trusted keys signed it. A verification trusts only keys that it was given."""

from dataclasses import dataclass

from services.compliance.checkpoints.checkpoint import Checkpoint, NotACheckpoint, open_checkpoint
from services.compliance.checkpoints.cosignature import CosignatureKey, open_cosigned
from services.compliance.checkpoints.note import NotANote, Note, Untrusted, VerifierKey, parse_note_unverified
from services.compliance.verify.domain import Fault, Faulty, Kind, Noted


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys of the log, those of its witnesses, and how many of these must have cosigned the newest checkpoint."""

    keys: tuple[VerifierKey, ...] = ()
    witnesses: tuple[CosignatureKey, ...] = ()
    needed: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """The root that a log claims for its first ``size`` entries; ``kind`` is what is wrong when it has another.

    A ``sealed`` one is a checkpoint's, below which the last entry is a manifest.
    """

    size: int
    root: bytes
    kind: Kind
    origin: str
    sealed: bool

    def fault(self, kind: Kind, detail: str) -> Fault:
        """Something wrong with the claim; it concerns the last entry below it."""
        return Fault(kind, max(self.size - 1, 0), self.size, detail)


def parse_claim_unverified(raw: bytes) -> Claim:
    """Reads a checkpoint and believes no signature. Raises NotANote, NotACheckpoint."""
    note = parse_note_unverified(raw)
    if len(note.signatures) != raw.rpartition(b"\n\n")[2].count(b"\n"):
        raise NotANote("a signature is repeated")
    checkpoint = Checkpoint.parse(note.text)
    return Claim(checkpoint.size, checkpoint.root, "root", checkpoint.origin, sealed=True)


def as_noted(raw: bytes) -> Noted:
    """A checkpoint that is stored under no size but its own; 0 where it does not parse."""
    try:
        return Noted(parse_claim_unverified(raw).size, raw)
    except (NotANote, NotACheckpoint):
        return Noted(0, raw)


def open_claim(noted: Noted, trust: Trust, *, needed: int) -> Claim:
    """Reads a checkpoint that the log and ``needed`` of its witnesses must have signed. Raises Faulty."""
    try:
        claim = parse_claim_unverified(noted.raw)
        if claim.size != noted.size:
            raise NotACheckpoint(f"it says {claim.size} entries")
        if trust.keys:
            _check_witnesses(open_cosigned(noted.raw, trust.keys, trust.witnesses, needed).note, trust)
    except (NotANote, NotACheckpoint) as exc:
        raise _faulty("checkpoint", noted, exc) from exc
    except Untrusted as exc:
        raise _faulty("cosignature" if _is_signed(noted.raw, trust) else "signature", noted, exc) from exc
    return claim


def _is_signed(raw: bytes, trust: Trust) -> bool:
    """Whether the log's own signature is right, whatever its witnesses' are."""
    try:
        open_checkpoint(raw, trust.keys)
    except Untrusted:
        return False
    return True


def _check_witnesses(note: Note, trust: Trust) -> None:
    """That whoever signs by a known witness's name is that witness. Raises Untrusted."""
    names = {witness.name for witness in trust.witnesses}
    for signature in note.signatures:
        if signature.name in names and signature not in note.trusted:
            raise Untrusted(f"{signature.name} signed with a key that was not given")


def _faulty(kind: Kind, noted: Noted, exc: Exception) -> Faulty:
    size = noted.size
    name = f"the checkpoint of {size} entries" if size else "the checkpoint"
    return Faulty(kind, max(size - 1, 0), size, f"{name}: {exc}")
