"""What a log sends to a witness (c2sp.org/tlog-witness, add-checkpoint): its checkpoint, and the proof that it grew."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.compliance.checkpoints.checkpoint import parse_hash, parse_size
from services.compliance.checkpoints.note import MAX_NOTE_BYTES, encode_base64
from shared.errors import StewardError

MAX_PROOF = 63
OLD = "old "
MAX_SUBMISSION_BYTES = MAX_NOTE_BYTES + 4096
"""A note, 63 lines of a hash, and the line before them."""


class NotASubmission(StewardError):
    """The body is no request to add a checkpoint; says which line breaks which rule."""


@dataclass(frozen=True, slots=True)
class Submission:
    """``note`` is the signed checkpoint as it came; ``proof`` leads to it from the tree of ``old_size`` entries."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes


def build_submission(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The body of the request."""
    lines = [f"{OLD}{old_size}", *map(encode_base64, proof), "", ""]
    return "\n".join(lines).encode() + note


def parse_submission(raw: bytes) -> Submission:
    """Reads the body of the request; the checkpoint is not looked into. Raises NotASubmission."""
    head, blank, note = raw.partition(b"\n\n")
    if not blank:
        raise NotASubmission("an empty line must stand between the proof and the checkpoint")
    first, *lines = head.decode(errors="replace").split("\n")
    old_size = parse_size(first.removeprefix(OLD)) if first.startswith(OLD) else None
    if old_size is None:
        raise NotASubmission(f"the first line {first[:40]!r} must be: old, space, size in decimal")
    return Submission(old_size, parse_proof(lines), note)


def parse_proof(lines: Sequence[str]) -> tuple[bytes, ...]:
    """The hashes of a proof, one a line. Raises NotASubmission."""
    if len(lines) > MAX_PROOF:
        raise NotASubmission(f"the proof has {len(lines)} lines; the limit is {MAX_PROOF}")
    hashes = [parse_hash(line) for line in lines]
    if None in hashes:
        raise NotASubmission(f"line {hashes.index(None) + 1} of the proof must be the Base64 of 32 bytes")
    return tuple(found for found in hashes if found is not None)
