"""Messages that could not be read or applied, kept raw with the reason, until a person replays or discards them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from shared import telemetry
from shared.database import Connection, found
from shared.errors import Conflict
from shared.telemetry import log
from shared.transactions import Transaction, new_id


class Held(BaseModel):
    """A quarantined message. ``raw`` is exactly what was on the wire."""

    id: str
    topic: str
    partition: int
    offset: int
    raw: bytes
    reason: str
    quarantined_at: datetime
    state: Literal["held", "replayed", "discarded"]
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None


async def hold(tx: Transaction, topic: str, partition: int, offset: int, raw: bytes, reason: str) -> None:
    """Puts a message into quarantine in the transaction that moves the reader past it."""
    await tx.conn.execute(
        """INSERT INTO quarantine (id, topic, partition, "offset", raw, reason, quarantined_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (topic, partition, "offset") DO NOTHING""",
        new_id(),
        topic,
        partition,
        offset,
        raw,
        # A reason may quote the message, and PostgreSQL's text takes every character but this one.
        reason[:2000].replace("\0", "\\0"),
        tx.now,
    )
    telemetry.QUARANTINED.labels(tx.service, topic).inc()
    log.warning("consumer.quarantined", service=tx.service, topic=topic, offset=offset, reason=reason)


async def select_held(conn: Connection, state: str, after: str | None, limit: int) -> list[Held]:
    """Messages in ``state``, oldest first, behind the id ``after``."""
    rows = await conn.fetch(
        """SELECT * FROM quarantine WHERE state = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3""",
        state,
        after,
        limit,
    )
    return [_held(dict(row)) for row in rows]


async def select_one(conn: Connection, held_id: str) -> Held:
    """One message, whatever its state. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM quarantine WHERE id = $1", held_id)
    return _held(dict(found(row, f"quarantined message {held_id}")))


async def decide(tx: Transaction, held_id: str, state: Literal["replayed", "discarded"], decision: str) -> None:
    """Ends a message's quarantine. Raises Conflict when that was done before."""
    decided = await tx.conn.fetchval(
        """UPDATE quarantine SET state = $2, decided_at = $3, decided_by = $4, decision = $5
           WHERE id = $1 AND state = 'held' RETURNING true""",
        held_id,
        state,
        tx.now,
        tx.actor,
        decision,
    )
    if not decided:
        raise Conflict(f"quarantined message {held_id} has been decided before")


def _held(row: dict[str, object]) -> Held:
    return Held.model_validate(row | {"id": str(row["id"])})
