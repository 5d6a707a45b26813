"""Checkpoints (c2sp.org/tlog-checkpoint): how large a log is and what its root is, as the text of a signed note."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from services.compliance.checkpoints.note import Note, VerifierKey, decode_base64, encode_base64, open_note
from services.compliance.log.hashing import HASH_BYTES
from shared.errors import StewardError

MAX_SIZE = 2**63 - 1
MAX_ORIGIN_BYTES = 255
DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
CONTROL = re.compile(r"[\x00-\x1f]")


class NotACheckpoint(StewardError):
    """The text is no checkpoint, or one of another log; says which rule it breaks."""


def parse_size(text: str) -> int | None:
    """A number in its one decimal form, without leading zeros and at most 2**63 - 1; else None."""
    return int(text) if DECIMAL.fullmatch(text) and int(text) <= MAX_SIZE else None


def parse_hash(text: str) -> bytes | None:
    """A SHA-256 hash from Base64; else None."""
    raw = decode_base64(text)
    return raw if raw is not None and len(raw) == HASH_BYTES else None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log by its origin, the number of its entries and the RFC 6962 root over them. Raises NotACheckpoint."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.origin.encode()) <= MAX_ORIGIN_BYTES:
            raise NotACheckpoint(f"the origin {self.origin[:80]!r} must have 1 to {MAX_ORIGIN_BYTES} bytes")
        if not 0 <= self.size <= MAX_SIZE:
            raise NotACheckpoint(f"the size {self.size} must be from 0 to {MAX_SIZE}")
        if len(self.root) != HASH_BYTES:
            raise NotACheckpoint(f"the root must have {HASH_BYTES} bytes, not {len(self.root)}")
        if not all(self.extensions):
            raise NotACheckpoint("an extension line must not be empty")
        if any(CONTROL.search(line) for line in (self.origin, *self.extensions)):
            raise NotACheckpoint("the origin and the extension lines must not have control characters")

    def __str__(self) -> str:
        """The text to sign, with its last line feed."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the text of a note. Raises NotACheckpoint."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() != "":
            raise NotACheckpoint("a checkpoint has at least three lines, each with its line feed: origin, size, root")
        origin, decimal, encoded, *extensions = lines
        size = parse_size(decimal)
        if size is None:
            raise NotACheckpoint(
                f"the size {decimal[:40]!r} must be decimal, without leading zeros, at most {MAX_SIZE}"
            )
        root = parse_hash(encoded)
        if root is None:
            raise NotACheckpoint(f"the root {encoded[:60]!r} must be the Base64 of {HASH_BYTES} bytes")
        return cls(origin, size, root, tuple(extensions))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that its log's key has signed, and the trusted signatures of its note."""

    checkpoint: Checkpoint
    note: Note

    @property
    def size(self) -> int:
        """How many entries the log has."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """The root over them."""
        return self.checkpoint.root


def open_checkpoint(raw: bytes, keys: Iterable[VerifierKey]) -> SignedCheckpoint:
    """Reads the checkpoint of a log that is named as its keys are.

    Raises NotANote, NotACheckpoint, Untrusted.
    """
    trusted = tuple(keys)
    note = open_note(raw, trusted)
    checkpoint = Checkpoint.parse(note.text)
    if not any(signature.name == checkpoint.origin for signature in note.trusted):
        names = ", ".join(sorted({key.name for key in trusted}))
        raise NotACheckpoint(f"the checkpoint is of the log {checkpoint.origin}, and the trusted keys are of {names}")
    return SignedCheckpoint(checkpoint, note)
