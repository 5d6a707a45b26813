"""Proof files (c2sp.org/tlog-proof, v1): all that shows, without any network, that an entry is in a witnessed log."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.compliance.checkpoints.checkpoint import SignedCheckpoint, parse_hash, parse_size
from services.compliance.checkpoints.cosignature import CosignatureKey, open_cosigned
from services.compliance.checkpoints.note import MAX_NOTE_BYTES, VerifierKey, decode_base64, encode_base64
from services.compliance.log.proofs import verify_inclusion
from shared.errors import StewardError

HEADER = "c2sp.org/tlog-proof@v1"
EXTRA = "extra "
INDEX = "index "
MAX_PROOF = 63
MAX_EXTRA_BYTES = 64 * 1024
MAX_FILE_BYTES = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES


class NotAProofFile(StewardError):
    """The bytes are no proof file; says which line breaks which rule."""


@dataclass(frozen=True, slots=True)
class ProofFile:
    """``proof`` leads from the leaf at ``index`` to the root of the signed checkpoint in ``note``, leaf first.

    ``extra`` is signed by nobody: believe nothing in it.
    """

    index: int
    proof: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None


def build_proof_file(file: ProofFile) -> bytes:
    """The file's bytes. Raises NotAProofFile when they would not parse again."""
    extra = [] if file.extra is None else [EXTRA + encode_base64(file.extra)]
    lines = [HEADER, *extra, f"{INDEX}{file.index}", *map(encode_base64, file.proof), "", ""]
    raw = "\n".join(lines).encode() + file.note
    parse_proof_file_unverified(raw)
    return raw


def parse_proof_file_unverified(raw: bytes) -> ProofFile:
    """Reads a proof file and believes nothing of it. Raises NotAProofFile."""
    if len(raw) > MAX_FILE_BYTES:
        raise NotAProofFile(f"the file has {len(raw)} bytes; the limit is {MAX_FILE_BYTES}")
    head, blank, note = raw.partition(b"\n\n")
    lines = head.decode(errors="replace").split("\n")
    if not blank or lines.pop(0) != HEADER:
        raise NotAProofFile(f"a proof file begins with {HEADER}, and an empty line stands before its checkpoint")
    extra = _extra(lines.pop(0)) if lines and lines[0].startswith(EXTRA) else None
    index = parse_size(lines.pop(0).removeprefix(INDEX)) if lines and lines[0].startswith(INDEX) else None
    if index is None:
        raise NotAProofFile("a line must say: index, space, number in decimal")
    return ProofFile(index, _hashes(lines), note, extra)


def verify_proof_file(
    raw: bytes,
    leaf: bytes,
    keys: Iterable[VerifierKey],
    witnesses: Iterable[CosignatureKey] = (),
    quorum: int = 0,
) -> SignedCheckpoint:
    """Returns the checkpoint when the file shows that the entry with the leaf hash ``leaf`` is in its log.

    Raises NotAProofFile, NotANote, NotACheckpoint, Untrusted, NotProved.
    """
    file = parse_proof_file_unverified(raw)
    signed = open_cosigned(file.note, keys, witnesses, quorum)
    verify_inclusion(file.index, signed.size, leaf, file.proof, signed.root)
    return signed


def _extra(line: str) -> bytes:
    extra = decode_base64(line.removeprefix(EXTRA))
    if extra is None or len(extra) > MAX_EXTRA_BYTES:
        raise NotAProofFile(f"the extra data must be Base64, of at most {MAX_EXTRA_BYTES} bytes")
    return extra


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    if len(lines) > MAX_PROOF:
        raise NotAProofFile(f"the proof has {len(lines)} hashes; the limit is {MAX_PROOF}")
    hashes = tuple(found for line in lines if (found := parse_hash(line)) is not None)
    if len(hashes) != len(lines):
        raise NotAProofFile("each line of the proof must be the Base64 of 32 bytes")
    return hashes
