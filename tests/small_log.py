"""A log small enough to be computed by RFC 6962's own definitions: it signs, proves, and can be forged on purpose."""

from collections.abc import Sequence
from hashlib import sha256

from services.compliance.checkpoints.checkpoint import Checkpoint
from services.compliance.checkpoints.note import Signature, SignerKey, VerifierKey, build_note
from services.compliance.checkpoints.submission import build_submission
from services.compliance.log.tree import EMPTY_ROOT, leaf_hash, node_hash

ORIGIN = "steward.example/log"


def key_of(name: str, kind: type[VerifierKey] = VerifierKey, number: int = 0) -> SignerKey:
    """A private key that is the same in each run."""
    return SignerKey.from_seed(name, sha256(f"{name} {number}".encode()).digest(), kind)


def sign(text: str, *keys: SignerKey) -> bytes:
    """A note with the signatures of logs' keys."""
    signatures = [Signature(k.verifier.name, k.verifier.key_id, k.sign(text.encode())) for k in keys]
    return build_note(text, signatures)


class SmallLog:
    """Leaves without end; from ``forged_from`` on, they are others than an honest log's."""

    def __init__(
        self, origin: str = ORIGIN, *, forged_from: int | None = None, keys: Sequence[SignerKey] | None = None
    ) -> None:
        self.origin = origin
        self.keys = tuple(keys) if keys is not None else (key_of(origin),)
        self.forged = forged_from is not None
        self._forged_from = forged_from

    def leaf(self, index: int) -> bytes:
        """The hash of the entry at ``index``."""
        is_forged = self._forged_from is not None and index >= self._forged_from
        return leaf_hash(f"{'another' if is_forged else 'an'} entry {index}".encode())

    def root(self, size: int, start: int = 0) -> bytes:
        """MTH of the leaves from ``start`` up to ``size`` (RFC 6962 §2.1)."""
        if size == start:
            return EMPTY_ROOT
        if size - start == 1:
            return self.leaf(start)
        middle = start + split(size - start)
        return node_hash(self.root(middle, start), self.root(size, middle))

    def inclusion(self, index: int, size: int, start: int = 0) -> list[bytes]:
        """PATH (RFC 6962 §2.1.1)."""
        if size - start == 1:
            return []
        middle = start + split(size - start)
        if index < middle:
            return [*self.inclusion(index, middle, start), self.root(size, middle)]
        return [*self.inclusion(index, size, middle), self.root(middle, start)]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """PROOF (RFC 6962 §2.1.2); nothing for an old tree that is empty or the new one."""
        return self._subproof(old, new, 0, True) if 0 < old < new else []

    def _subproof(self, old: int, new: int, start: int, is_known: bool) -> list[bytes]:
        if old == new:
            return [] if is_known else [self.root(new, start)]
        middle = start + split(new - start)
        if old <= middle:
            return [*self._subproof(old, middle, start, is_known), self.root(new, middle)]
        return [*self._subproof(old, new, middle, False), self.root(middle, start)]

    def checkpoint(self, size: int) -> Checkpoint:
        """What the log claims at this size."""
        return Checkpoint(self.origin, size, self.root(size))

    def note(self, size: int, *keys: SignerKey) -> bytes:
        """The signed checkpoint."""
        return sign(str(self.checkpoint(size)), *(keys or self.keys))

    def submission(self, old: int, new: int) -> bytes:
        """What it sends to a witness that knows ``old`` entries."""
        return build_submission(old, self.consistency(old, new), self.note(new))


def split(width: int) -> int:
    """The largest power of two below ``width``."""
    return 1 << (width - 1).bit_length() - 1
