"""What a witness remembers, in one folder that no second witness can use: a file for each log, and the evidence.

`logs/HASH.checkpoint` is the last checkpoint that was cosigned, a signed note; HASH is the SHA-256 of the origin.
`refused/….json` are contradictions, `.told` beside one says that its alert was delivered.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from services.compliance.checkpoints.checkpoint import Checkpoint, NotACheckpoint
from services.compliance.checkpoints.cosignature import cosigned_at
from services.compliance.checkpoints.durable import Occupied, locking, replace_durably
from services.compliance.checkpoints.note import (
    MAX_NOTE_BYTES,
    NotANote,
    Untrusted,
    VerifierKey,
    build_note,
    encode_base64,
    open_note,
)
from services.compliance.witness.domain import MEANING, Contradiction, Known
from shared.errors import Unavailable, WrongSetting

MAX_EVIDENCE = 1000
"""Who may reach the witness can hand in old checkpoints; they shall not fill the disk."""


class LedgerUnreadable(Unavailable):
    """A file of the folder is not as it was written; the witness can't say what it has vouched for."""


class Ledger:
    """The folder, while this process holds it: see `opened`. Its methods block for the disk."""

    def __init__(self, folder: Path) -> None:
        self._logs, self._refused = folder / "logs", folder / "refused"
        for path in (self._logs, self._refused):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._evidence_lock = Lock()
        self._evidence = {path.stem.partition("-")[2] for path in self._refused.glob("*.json")}

    def last(self, origin: str, keys: Iterable[VerifierKey], ours: VerifierKey) -> Known | None:
        """The last checkpoint of a log that was kept, None before the first. Raises LedgerUnreadable.

        One of the log's keys or ours must have signed it: that it is whole is not taken for granted.
        """
        path = self._path(origin)
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_NOTE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise LedgerUnreadable(f"{path}: can't be read: {exc}") from exc
        try:
            note = open_note(raw, (*keys, ours))
            checkpoint = Checkpoint.parse(note.text)
        except (NotANote, NotACheckpoint, Untrusted) as exc:
            raise LedgerUnreadable(f"{path}: {exc}. Nothing of {origin} is cosigned before it is mended") from exc
        if checkpoint.origin != origin:
            raise LedgerUnreadable(f"{path}: is of the log {checkpoint.origin}, not of {origin}")
        signature = note.signed_by(ours)
        return Known(checkpoint, raw, cosigned_at(signature) if signature else 0)

    def keep(self, origin: str, note: bytes) -> None:
        """Remembers a checkpoint as the last; it is on the disk when this returns. Raises OSError."""
        replace_durably(self._path(origin), note)

    def accuse(self, contradiction: Contradiction, now: str) -> bool:
        """Keeps a contradiction as evidence; False when it is known already, or there are too many. Raises OSError."""
        body = evidence(contradiction, now)
        name = sha256(f"{body['kind']}\n{body['known']}\n{body['refused']}".encode()).hexdigest()[:32]
        with self._evidence_lock:
            if name in self._evidence or len(self._evidence) >= MAX_EVIDENCE:
                return False
            moment = now.replace(":", "").replace("-", "")
            replace_durably(self._refused / f"{moment}-{name}.json", json.dumps(body, indent=2).encode())
            self._evidence.add(name)
        return True

    @property
    def contradictions(self) -> int:
        """How many are kept as evidence."""
        return len(self._evidence)

    def evidence(self) -> list[dict[str, Any]]:
        """All contradictions, the newest first, each with its ``id``."""
        return [self.read_evidence(path.stem) for path in sorted(self._refused.glob("*.json"), reverse=True)]

    def read_evidence(self, name: str) -> dict[str, Any]:
        """One contradiction."""
        body: dict[str, Any] = json.loads((self._refused / f"{name}.json").read_text())
        return {"id": name} | body

    def untold(self) -> list[str]:
        """The contradictions whose alert was not delivered yet, the oldest first."""
        return sorted(p.stem for p in self._refused.glob("*.json") if not p.with_suffix(".told").exists())

    def told(self, name: str) -> None:
        """Remembers that an alert was delivered."""
        replace_durably(self._refused / f"{name}.told", b"")

    def find(self, origin_hash: str) -> Path:
        """Where the last checkpoint of the log with this hash would lie."""
        return self._logs / f"{origin_hash}.checkpoint"

    def _path(self, origin: str) -> Path:
        return self.find(sha256(origin.encode()).hexdigest())


def evidence(contradiction: Contradiction, now: str) -> dict[str, Any]:
    """A contradiction for people and programs: what it means, and the two signed checkpoints that show it."""
    refused = contradiction.refused
    return {
        "kind": str(contradiction.kind),
        "meaning": MEANING[contradiction.kind],
        "origin": contradiction.known.checkpoint.origin,
        "seen_at": now,
        "known": contradiction.known.note.decode(),
        "refused": build_note(refused.signed.note.text, refused.signed.note.trusted).decode(),
        "old_size": refused.submission.old_size,
        "proof": [encode_base64(node) for node in refused.submission.proof],
    }


@contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    """The folder's ledger, for this process alone. Raises WrongSetting when it can't be had."""
    with ExitStack() as stack:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            stack.enter_context(locking(folder / "lock", wait=False))
            ledger = Ledger(folder)
        except Occupied as exc:
            text = f"another witness works in {folder}; each needs a folder of its own"
            raise WrongSetting(f"STEWARD_WITNESS_STATE: {text}") from exc
        except OSError as exc:
            raise WrongSetting(f"STEWARD_WITNESS_STATE: {folder} can't be used: {exc}") from exc
        yield ledger
