"""Asks witnesses to cosign a checkpoint (c2sp.org/tlog-witness): the one place that touches them.

Whatever a witness or the network does is a value, and comes within the deadline.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import httpx

from services.compliance.checkpoints.checkpoint import Checkpoint, parse_size
from services.compliance.checkpoints.cosignature import CosignatureKey, cosigned_at
from services.compliance.checkpoints.keys import parse_setting
from services.compliance.checkpoints.note import NotANote, Signature, parse_note_unverified
from services.compliance.checkpoints.submission import build_submission
from shared.errors import WrongSetting

DEADLINE = 10.0
MAX_ANSWER = 64 * 1024
ATTEMPTS = 3
"""One to learn which size the witness knows, one to prove from there, one more if another replica was faster."""

Prove = Callable[[int], Awaitable[Sequence[bytes]]]
"""The consistency proof from an older size to the checkpoint's size."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Where a witness is asked, and the key that its cosignatures verify with."""

    key: CosignatureKey
    url: str

    @classmethod
    def parse_all(cls, text: str) -> tuple[Self, ...]:
        """Reads ``KEY URL``, as many as there are, separated by white space. Raises WrongSetting."""
        setting, words = "STEWARD_LOG_WITNESSES", text.split()
        if len(words) % 2:
            raise WrongSetting(f"{setting}: must be pairs of a public key and a URL; {words[-1]} has no partner")
        found = []
        for public, url in zip(words[::2], words[1::2], strict=True):
            if not url.startswith(("http://", "https://")):
                raise WrongSetting(f"{setting}: {url} must begin with http:// or https://")
            found.append(cls(parse_setting(setting, CosignatureKey.parse, public), url.rstrip("/")))
        if len({witness.key.name for witness in found}) < len(found):
            raise WrongSetting(f"{setting}: a witness is named twice")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The witness vouches for the checkpoint, since ``time`` in seconds since 1970."""

    signature: Signature
    time: int


@dataclass(frozen=True, slots=True)
class Forked:
    """The witness knows another history of this log: it has seen entries that are no longer in it, or differ."""

    reason: str


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The witness has cosigned a larger tree than the checkpoint's. It is also so when another replica was faster."""

    known_size: int


@dataclass(frozen=True, slots=True)
class Declined:
    """The witness does not take our checkpoints: it does not know the log or its key, or can't read what we sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No usable answer came; it is asked again with the next checkpoint."""

    reason: str


Outcome = Cosigned | Forked | Shrunk | Declined | Unreachable


class _WrongAnswer(Exception):
    """The answer is none of the protocol's."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes

    @property
    def text(self) -> str:
        """Its first line, for a person."""
        return self.body[:200].decode(errors="replace").partition("\n")[0].strip()


@dataclass
class Witnesses:
    """All witnesses of a log. Remembers which size each knows, so that mostly one request is enough."""

    witnesses: Sequence[Witness]
    client: httpx.AsyncClient
    deadline: float = DEADLINE
    _known: dict[Witness, int] = field(default_factory=dict)

    async def cosign(
        self, witnesses: Sequence[Witness], checkpoint: Checkpoint, note: bytes, prove: Prove
    ) -> Mapping[Witness, Outcome]:
        """Asks these at once; returns within the deadline, whatever they do. ``note`` is the signed checkpoint.

        What ``prove`` raises is raised here, after all have been asked.
        """
        asked = [self._ask_in_time(witness, checkpoint, note, prove) for witness in witnesses]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        found: dict[Witness, Outcome] = {}
        for witness, outcome in zip(witnesses, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            found[witness] = outcome
        return found

    async def _ask_in_time(self, witness: Witness, checkpoint: Checkpoint, note: bytes, prove: Prove) -> Outcome:
        try:
            async with asyncio.timeout(self.deadline):
                return await self._ask(witness, checkpoint, note, prove)
        except TimeoutError:
            return Unreachable(f"no answer within {self.deadline:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            return Unreachable(str(exc) or repr(exc))
        except _WrongAnswer as exc:
            return Unreachable(str(exc))

    async def _ask(self, witness: Witness, checkpoint: Checkpoint, note: bytes, prove: Prove) -> Outcome:
        old_size = min(self._known.get(witness, 0), checkpoint.size)
        for _ in range(ATTEMPTS):
            proof = await prove(old_size) if old_size else ()
            answer = await self._post(f"{witness.url}/add-checkpoint", build_submission(old_size, proof, note))
            if answer.status != httpx.codes.CONFLICT:
                return self._understand(witness, checkpoint, answer)
            old_size = self._known[witness] = _known_size(answer)
            if old_size > checkpoint.size:
                return Shrunk(old_size)
        return Unreachable(f"its size changed during {ATTEMPTS} attempts; it is at {old_size} now")

    def _understand(self, witness: Witness, checkpoint: Checkpoint, answer: _Answer) -> Outcome:
        if answer.status == httpx.codes.OK:
            signature = _cosignature(answer.body, witness.key, checkpoint)
            self._known[witness] = checkpoint.size
            return Cosigned(signature, cosigned_at(signature))
        told = f"it answered {answer.status}: {answer.text or 'nothing more'}"
        if answer.status == httpx.codes.UNPROCESSABLE_ENTITY:
            return Forked(told)
        if answer.status in (httpx.codes.BAD_REQUEST, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND):
            return Declined(told)
        return Unreachable(told)

    async def _post(self, url: str, body: bytes) -> _Answer:
        plain = {"Accept-Encoding": "identity", "Content-Type": "text/plain; charset=utf-8"}
        async with self.client.stream("POST", url, content=body, headers=plain, timeout=self.deadline) as response:
            answer = bytearray()
            async for part in response.aiter_raw():
                answer += part
                if len(answer) > MAX_ANSWER:
                    raise _WrongAnswer(f"its answer passes {MAX_ANSWER} bytes")
        return _Answer(response.status_code, bytes(answer))


def _known_size(answer: _Answer) -> int:
    size = parse_size(answer.body[:32].decode(errors="replace").removesuffix("\n"))
    if size is None:
        raise _WrongAnswer(f"it answered 409 with {answer.text!r} in place of a size")
    return size


def _cosignature(body: bytes, key: CosignatureKey, checkpoint: Checkpoint) -> Signature:
    text = str(checkpoint)
    try:
        signatures = parse_note_unverified(f"{text}\n".encode() + body).signatures
    except NotANote as exc:
        raise _WrongAnswer(f"its answer holds no signature lines: {exc}") from exc
    ours = next((signature for signature in signatures if signature.is_by(key)), None)
    if ours is None:
        raise _WrongAnswer(f"its answer holds no cosignature by {key}; is it another witness, or has its key changed?")
    if not key.verifies(text.encode(), ours.signature):
        raise _WrongAnswer(f"its cosignature does not verify with {key}")
    return ours
