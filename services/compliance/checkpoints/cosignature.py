"""Cosignatures (c2sp.org/tlog-cosignature): a witness says when it knew a log as its checkpoint shows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from services.compliance.checkpoints.checkpoint import SignedCheckpoint, open_checkpoint
from services.compliance.checkpoints.note import (
    SIGNATURE_BYTES,
    Signature,
    SignerKey,
    Untrusted,
    VerifierKey,
    is_ed25519,
)

TIME_BYTES = 8
MAX_TIME = 2**63 - 1


@dataclass(frozen=True, slots=True)
class CosignatureKey(VerifierKey):
    """The public key of a witness, type 0x04: the signature begins with a time and signs it with the text."""

    kind: ClassVar[int] = 0x04
    meaning: ClassVar[str] = "a witness's key (type 0x04)"

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this witness's over the text of a checkpoint, at a time that it may name."""
        time = int.from_bytes(signature[:TIME_BYTES])
        return (
            len(signature) == TIME_BYTES + SIGNATURE_BYTES
            and 0 < time <= MAX_TIME
            and is_ed25519(self.public, signature[TIME_BYTES:], cosigned_message(text, time))
        )


def cosigned_message(text: bytes, time: int) -> bytes:
    """What a witness signs: the text of a checkpoint, and the time in seconds since 1970."""
    return b"cosignature/v1\ntime %d\n" % time + text


def cosign(key: SignerKey, text: str, time: int) -> Signature:
    """The witness's signature line on the text of a checkpoint, at ``time`` in seconds since 1970."""
    signed = key.sign(cosigned_message(text.encode(), time))
    return Signature(key.verifier.name, key.verifier.key_id, time.to_bytes(TIME_BYTES) + signed)


def cosigned_at(signature: Signature) -> int:
    """The time that a cosignature names, in seconds since 1970."""
    return int.from_bytes(signature.signature[:TIME_BYTES])


def open_cosigned(
    raw: bytes, keys: Iterable[VerifierKey], witnesses: Iterable[CosignatureKey], quorum: int
) -> SignedCheckpoint:
    """Reads a checkpoint that its log and at least ``quorum`` of the witnesses have signed.

    Who cosigned, ``note.signed_by`` tells. Raises NotANote, NotACheckpoint, Untrusted.
    """
    logs, known = tuple(keys), frozenset(witnesses)
    open_checkpoint(raw, logs)
    found = open_checkpoint(raw, (*logs, *known))
    cosigners = [key for key in known if found.note.signed_by(key)]
    if len(cosigners) < quorum:
        raise Untrusted(f"{len(cosigners)} of the {len(known)} known witnesses cosigned; {quorum} must have")
    return found
