"""Idempotency-Key: the same request sent twice is carried out once and answered the same.

The key is claimed and the answer stored in the transaction of the effect, so a crash leaves both or neither. A second
request with the key waits on the first one's row, and is then given its answer.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.errors import Malformed, StewardError
from shared.transactions import Transaction

KEPT = timedelta(days=7)


class AlreadyAnswered(StewardError):
    """The request was carried out before; ``answer`` is the JSON that it was answered with."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("answered before")
        self.answer = answer


@dataclass(frozen=True)
class RequestKey:
    """The caller's key for one request, and the digest of what the request asks."""

    caller: str
    key: str
    fingerprint: bytes

    @classmethod
    def of(cls, caller: str, key: str, method: str, path: str, body: bytes) -> "RequestKey":
        """Raises Malformed when the key is empty, longer than 200 characters or not printable ASCII."""
        if not (1 <= len(key) <= 200 and key.isascii() and key.isprintable()):
            raise Malformed("Idempotency-Key", "must be 1 to 200 printable ASCII characters", "a UUID")
        digest = hashlib.sha256(b"\n".join([method.encode(), path.encode(), body])).digest()
        return cls(caller, key, digest)

    def with_content(self, sha256: str) -> "RequestKey":
        """The same key for a request that was read in another way, with the digest of what it holds."""
        return replace(self, fingerprint=hashlib.sha256(self.fingerprint + sha256.encode()).digest())


async def claim(tx: Transaction, request: RequestKey) -> None:
    """Takes the key for this transaction. Raises AlreadyAnswered, or Malformed when it stood for another request."""
    await tx.conn.execute("DELETE FROM requests WHERE answered_at < $1", tx.now - KEPT)
    claimed = await tx.conn.fetchval(
        "INSERT INTO requests (caller, key, fingerprint) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true",
        request.caller,
        request.key,
        request.fingerprint,
    )
    if claimed:
        return
    row = await tx.conn.fetchrow(
        "SELECT fingerprint, answer FROM requests WHERE caller = $1 AND key = $2", request.caller, request.key
    )
    if row is None or row["fingerprint"] != request.fingerprint:
        raise Malformed("Idempotency-Key", "was used for another request", "a new UUID for each request")
    raise AlreadyAnswered(row["answer"])


async def remember(tx: Transaction, request: RequestKey, answer: bytes) -> None:
    """Stores the answer beside the effect."""
    await tx.conn.execute(
        "UPDATE requests SET answer = $3 WHERE caller = $1 AND key = $2", request.caller, request.key, answer
    )
