"""Judges a checkpoint, remembers it, and only then cosigns it for others to see."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from prometheus_client import Counter, Gauge

from services.compliance.checkpoints.cosignature import cosign
from services.compliance.checkpoints.note import SignerKey, build_note
from services.compliance.witness.domain import Known, Logs, Refusal, Request, read_request, why_not
from services.compliance.witness.ledger import Ledger
from shared.telemetry import log

REQUESTS = Counter("steward_witness_requests_total", "Checkpoints handed in, by what came of it", ["outcome"])
SIZE = Gauge("steward_witness_size", "Entries of the last checkpoint that was cosigned", ["origin"])
MAX_RECENT = 1024


@dataclass
class Station:
    """One witness: its key, the logs that it knows, and its memory."""

    key: SignerKey
    logs: Logs
    ledger: Ledger
    _locks: dict[str, Lock] = field(init=False)
    _recent: dict[str, OrderedDict[int, Known]] = field(init=False)

    def __post_init__(self) -> None:
        self._locks = {origin: Lock() for origin in self.logs}
        self._recent = {origin: OrderedDict() for origin in self.logs}

    def add_checkpoint(self, raw: bytes, now: datetime) -> str | Refusal:
        """Cosigns the checkpoint of a request: gives the signature line when the checkpoint is on the disk.

        It blocks for the disk and for others that hand in the same log's checkpoints: call it from a thread, whose end
        nobody's cancelling can hasten. Raises LedgerUnreadable, OSError; then nothing was cosigned.
        """
        request = read_request(raw, self.logs)
        answer = request if isinstance(request, Refusal) else self._judge(request, now)
        REQUESTS.labels(answer.outcome if isinstance(answer, Refusal) else "cosigned").inc()
        return answer

    def last(self, origin: str) -> Known | None:
        """The last checkpoint of a log that was cosigned. Raises LedgerUnreadable."""
        return self.ledger.last(origin, self.logs[origin], self.key.verifier)

    def _judge(self, request: Request, now: datetime) -> str | Refusal:
        origin = request.checkpoint.origin
        with self._locks[origin]:
            refusal = why_not(request, self.last(origin), self._recent[origin], int(now.timestamp()))
            if refusal is None:
                return self._cosign(request, now)
        self._accuse(origin, refusal, now)
        return refusal

    def _cosign(self, request: Request, now: datetime) -> str:
        checkpoint, note = request.checkpoint, request.signed.note
        time = int(now.timestamp())
        line = cosign(self.key, note.text, time)
        kept = build_note(note.text, [*note.trusted, line])
        self.ledger.keep(checkpoint.origin, kept)
        self._remember(Known(checkpoint, kept, time))
        SIZE.labels(checkpoint.origin).set(checkpoint.size)
        return str(line)

    def _remember(self, known: Known) -> None:
        recent = self._recent[known.checkpoint.origin]
        recent[known.checkpoint.size] = known
        if len(recent) > MAX_RECENT:
            recent.popitem(last=False)

    def _accuse(self, origin: str, refusal: Refusal, now: datetime) -> None:
        found = refusal.contradiction
        if found is None:
            return
        try:
            is_new = self.ledger.accuse(found, now.isoformat(timespec="seconds").replace("+00:00", "Z"))
        except OSError as exc:
            log.error("witness.evidence_lost", origin=origin, reason=str(exc))
            is_new = True
        if is_new:
            sizes = {"known": found.known.checkpoint.size, "refused": found.refused.checkpoint.size}
            log.error(f"witness.{found.kind}", origin=origin, reason=refusal.reason, **sizes)
