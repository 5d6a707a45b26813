"""Checkpoints of the logs that these tests make."""

from services.compliance.checkpoints.checkpoint import Checkpoint
from services.compliance.checkpoints.note import Signature, SignerKey, build_note
from services.compliance.log.tree import Edge

ORIGIN = "steward.example-hospitals.org/log"
KEY = SignerKey.from_seed(ORIGIN, bytes(range(32)))


def checkpoint_of(edge: Edge) -> bytes:
    """The signed checkpoint of a tree."""
    text = str(Checkpoint(ORIGIN, edge.size, edge.root))
    return build_note(text, [Signature(ORIGIN, KEY.verifier.key_id, KEY.sign(text.encode()))])
