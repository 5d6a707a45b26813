"""The memory of what was published, outside the database: a restored or rewritten database can't take it back.

The file is the last published checkpoint itself, a signed note. It is written before anybody sees the checkpoint, and
it takes only one that is proved to continue it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from services.compliance.checkpoints.checkpoint import NotACheckpoint, SignedCheckpoint, open_checkpoint
from services.compliance.checkpoints.durable import locking, replace_durably
from services.compliance.checkpoints.note import MAX_NOTE_BYTES, NotANote, Untrusted, VerifierKey
from services.compliance.log.proofs import NotProved, verify_consistency
from shared.errors import StewardError

REMEDY = (
    "Put the file back from where it was, or write the newest checkpoint into it that a witness or a reader has:"
    " only what is published counts, never what the database says."
)


class PublishedUnreadable(StewardError):
    """The memory can't be used as it is; says what to do. Nothing may be signed meanwhile."""


class PublishedMeanwhile(StewardError):
    """Another process published since; ``last`` is now what it published. Prove from there and try again."""


class HistoryRewritten(StewardError):
    """The log in the database does not continue what was published. Nothing may be signed; says what to do."""


@dataclass
class Published:
    """The last published checkpoint of one log; None before the first. ``keys`` are all that may have signed it."""

    path: Path
    origin: str
    keys: tuple[VerifierKey, ...]
    last: SignedCheckpoint | None = None

    @classmethod
    def load(cls, path: Path, origin: str, keys: Iterable[VerifierKey], *, may_begin: bool) -> Self:
        """Reads the memory. ``may_begin``: nothing was ever published, as far as the database knows.

        Raises PublishedUnreadable when the file is unreadable, empty, cut, another log's or signed by none of the
        keys, and when it is missing though something was published.
        """
        if not path.parent.is_dir():
            raise PublishedUnreadable(f"{path}: there is no folder {path.parent}; is its volume mounted?")
        known = cls(path, origin, tuple(keys))
        known.last = known._read()
        if known.last is None and not may_begin:
            raise PublishedUnreadable(f"{path}: is missing, and checkpoints were published before. {REMEDY}")
        return known

    def check(self, size: int, root: bytes, proof: Sequence[bytes]) -> None:
        """Returns when the log of that size and root continues what was published.

        ``proof`` is the consistency proof from the published size; of none, or of the same size, it is empty. Raises
        HistoryRewritten.
        """
        if self.last is None:
            return
        if size < self.last.size:
            raise HistoryRewritten(
                f"{self.origin}: the database has {size} entries, and {self.last.size} were published ({self.path})."
                " It was restored to an older state: restore the newest backup and all write-ahead log that there is."
                f" If entries are lost for good, this log ends at {size}: begin another one under a new name and key,"
                " and tell the auditors and the witnesses why."
            )
        try:
            verify_consistency(self.last.size, size, self.last.root, root, proof)
        except NotProved as exc:
            raise HistoryRewritten(
                f"{self.origin}: the first {self.last.size} entries are not those that were published ({self.path}):"
                f" {exc}. The database was changed, or was restored to an older state and has grown since. Change"
                " nothing, keep a copy of it as it is, and call who is responsible for information security."
            ) from exc

    def advance(self, note: bytes, proof: Sequence[bytes]) -> SignedCheckpoint:
        """Takes a signed checkpoint as the last; when this returns, it is on the disk and may be shown.

        It blocks for the disk: call it from a thread. Raises HistoryRewritten; PublishedMeanwhile; PublishedUnreadable,
        also when the checkpoint is not one of this log by one of its keys; OSError when the disk does not take it.
        """
        fresh = self._open(note, "the checkpoint to publish")
        with locking(self.path.with_name(self.path.name + ".lock"), wait=True):
            current = self._read()
            if current is None and self.last is not None:
                raise PublishedUnreadable(f"{self.path}: has vanished since it was read. {REMEDY}")
            if current is not None and (self.last is None or current.checkpoint != self.last.checkpoint):
                self.last = current
                raise PublishedMeanwhile(f"{self.path}: another process has published {current.size} entries")
            self.check(fresh.size, fresh.root, proof)
            replace_durably(self.path, note)
        self.last = fresh
        return fresh

    def _read(self) -> SignedCheckpoint | None:
        try:
            with self.path.open("rb") as file:
                raw = file.read(MAX_NOTE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise PublishedUnreadable(f"{self.path}: can't be read: {exc}. {REMEDY}") from exc
        return self._open(raw, str(self.path))

    def _open(self, raw: bytes, what: str) -> SignedCheckpoint:
        if not raw:
            raise PublishedUnreadable(f"{what}: is empty. {REMEDY}")
        try:
            signed = open_checkpoint(raw, self.keys)
        except (NotANote, NotACheckpoint) as exc:
            raise PublishedUnreadable(f"{what}: is no checkpoint of {self.origin}: {exc}. {REMEDY}") from exc
        except Untrusted as exc:
            raise PublishedUnreadable(
                f"{what}: {exc}. If a key was replaced, name the one before in STEWARD_LOG_FORMER_KEYS. {REMEDY}"
            ) from exc
        if signed.checkpoint.origin != self.origin:
            raise PublishedUnreadable(f"{what}: is of the log {signed.checkpoint.origin}, not of {self.origin}")
        return signed
