"""What a witness may cosign (c2sp.org/tlog-witness, add-checkpoint), and what of the rest speaks against the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.compliance.checkpoints.checkpoint import (
    Checkpoint,
    NotACheckpoint,
    SignedCheckpoint,
    open_checkpoint,
)
from services.compliance.checkpoints.note import NotANote, Untrusted, VerifierKey, parse_note_unverified
from services.compliance.checkpoints.submission import NotASubmission, Submission, parse_submission
from services.compliance.log.proofs import NotProved, verify_consistency
from services.compliance.log.tree import EMPTY_ROOT

Logs = Mapping[str, Sequence[VerifierKey]]
"""The logs that are witnessed, by origin, and the keys that each may sign with."""


LATE_SECONDS = 60
"""How long after a checkpoint a shorter one may still be on its way: of a slow request, or of a replaced replica."""


class Kind(StrEnum):
    """How a signed checkpoint contradicts one that was cosigned before."""

    FORK = "fork"
    UNPROVEN = "unproven"
    SHRUNK = "shrunk"


MEANING = {
    Kind.FORK: "the log has signed two different histories of the same length; nothing but its key can do that",
    Kind.UNPROVEN: "the log has signed a longer history that was not shown to continue the one it signed before",
    Kind.SHRUNK: "a shorter history was handed in long after a longer one; the log was restored to an older state, or"
    " somebody repeats an old checkpoint",
}


@dataclass(frozen=True, slots=True)
class Known:
    """A checkpoint that was cosigned at ``time``, in seconds since 1970: the note with the log's signature and ours."""

    checkpoint: Checkpoint
    note: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Request:
    """A checkpoint signed by a log that is witnessed, with its proof."""

    submission: Submission
    signed: SignedCheckpoint

    @property
    def checkpoint(self) -> Checkpoint:
        """What shall be cosigned."""
        return self.signed.checkpoint


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two checkpoints that the log has signed and that do not agree, the second with the proof that came with it."""

    kind: Kind
    known: Known
    refused: Request


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing was cosigned, by the protocol's status; 409 tells the size that is known."""

    status: int
    outcome: str
    reason: str
    known_size: int | None = None
    contradiction: Contradiction | None = None


def read_request(raw: bytes, logs: Logs) -> Request | Refusal:
    """Reads a request as far as it can be judged without knowing the past."""
    try:
        submission = parse_submission(raw)
        origin = Checkpoint.parse(parse_note_unverified(submission.note).text).origin
    except (NotASubmission, NotANote, NotACheckpoint) as exc:
        return Refusal(400, "malformed", str(exc))
    if origin not in logs:
        return Refusal(404, "unknown_log", f"the log {origin} is not witnessed here")
    try:
        signed = open_checkpoint(submission.note, logs[origin])
    except (Untrusted, NotACheckpoint) as exc:
        return Refusal(403, "untrusted", str(exc))
    if submission.old_size > signed.size:
        return Refusal(400, "malformed", f"the old size {submission.old_size} passes the checkpoint's, {signed.size}")
    return Request(submission, signed)


def why_not(request: Request, last: Known | None, recent: Mapping[int, Known], now: int) -> Refusal | None:
    """Why the checkpoint must not be cosigned after ``last``; None when it may be. ``now``: seconds since 1970.

    ``recent``: checkpoints that were cosigned before, by size; a shorter one of them is no contradiction.
    """
    known_size = last.checkpoint.size if last else 0
    found = _contradiction(request, last, recent, now)
    if request.submission.old_size != known_size:
        reason = f"the last checkpoint cosigned here has {known_size} entries"
        return Refusal(409, found.kind if found else "stale", reason, known_size, found)
    if found is not None:
        return Refusal(422, found.kind, MEANING[found.kind], contradiction=found)
    unproven = _why_unproven(request, last)
    if unproven is None:
        return None
    if last is None or known_size == 0:
        return Refusal(422, "malformed", unproven)
    return Refusal(422, Kind.UNPROVEN, unproven, contradiction=Contradiction(Kind.UNPROVEN, last, request))


def _contradiction(request: Request, last: Known | None, recent: Mapping[int, Known], now: int) -> Contradiction | None:
    """What the checkpoint contradicts by itself, whatever proof comes with it."""
    checkpoint = request.checkpoint
    if last is None or checkpoint.size > last.checkpoint.size:
        return None
    known = last if checkpoint.size == last.checkpoint.size else recent.get(checkpoint.size)
    if known is None:
        return Contradiction(Kind.SHRUNK, last, request) if now - last.time >= LATE_SECONDS else None
    if known.checkpoint.root == checkpoint.root:
        return None
    return Contradiction(Kind.FORK, known, request)


def _why_unproven(request: Request, last: Known | None) -> str | None:
    new = request.checkpoint
    old_size, old_root = (last.checkpoint.size, last.checkpoint.root) if last else (0, EMPTY_ROOT)
    try:
        verify_consistency(old_size, new.size, old_root, new.root, request.submission.proof)
    except NotProved as exc:
        return str(exc)
    return None
