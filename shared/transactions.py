"""One command or one event, one transaction: the effect and its events become durable together, or neither does.

A handler is handed a Transaction. It changes state over ``conn`` and records events; it never commits. Who opened the
transaction (a route, a schedule, the consumer) commits it, and with it the outbox rows that the relay will publish.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import uuid_utils

from shared import telemetry
from shared.database import Connection, Pool
from shared.events import Event, EventData, encode_unsequenced

OUTBOX_CHANNEL = "steward_outbox_{service}"


def new_id() -> str:
    """A new UUIDv7 (RFC 9562 §5.7): ids made later sort later."""
    return str(uuid_utils.uuid7())


def utc_now() -> datetime:
    """The time of this machine, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Transaction:
    """An open transaction of one service, in the name of one actor.

    ``now`` is the one instant at which everything in it happens (aware, UTC); ``reason`` is why, if somebody said so.
    """

    conn: Connection
    service: str
    now: datetime
    actor: str
    correlation_id: str
    causation_id: str | None = None
    reason: str | None = None
    _recorded: list[tuple[str, str, bytes]] = field(default_factory=list, repr=False)

    def caused_by(self, event: Event[EventData]) -> "Transaction":
        """The same transaction, acting for ``event``: what is recorded names it as the cause and joins its flow."""
        return replace(self, actor=event.actor, correlation_id=event.correlation_id, causation_id=event.id)

    def acting_as(self, actor: str) -> "Transaction":
        """The same transaction in the name of another actor, for example the service itself."""
        return replace(self, actor=actor)

    def because(self, reason: str) -> "Transaction":
        """The same transaction, for a reason that what changes will keep."""
        return replace(self, reason=reason)

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """A part that may fail by itself: when the block raises, what it has written and recorded is taken back."""
        recorded = len(self._recorded)
        try:
            async with self.conn.transaction():
                yield
        except BaseException:
            del self._recorded[recorded:]
            raise

    def record(self, data: EventData, *, subject: str, site_id: str) -> str:
        """Adds an event to what this transaction will publish and returns its id.

        Raises TooLarge when the event would pass 48 KiB; the caller must let that end the transaction.
        """
        event_id = new_id()
        body = encode_unsequenced(
            data,
            event_id=event_id,
            source=f"/services/{self.service}",
            subject=subject,
            time=self.now,
            site_id=site_id,
            actor=self.actor,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            traceparent=telemetry.traceparent(),
        )
        self._recorded.append((data.event_type, subject, body))
        return event_id


@asynccontextmanager
async def begin(
    pool: Pool,
    service: str,
    *,
    actor: str | None = None,
    correlation_id: str | None = None,
    now: datetime | None = None,
    reason: str | None = None,
) -> AsyncIterator[Transaction]:
    """Opens a transaction; commits it with its outbox rows at the end, rolls back when the block raises.

    Without an ``actor`` it is the service itself that acts.
    """
    async with pool.acquire() as conn, conn.transaction():
        tx = Transaction(
            conn=conn,
            service=service,
            now=now or utc_now(),
            actor=actor or f"service:{service}",
            correlation_id=correlation_id or new_id(),
            reason=reason,
        )
        yield tx
        await flush_outbox(tx)


async def flush_outbox(tx: Transaction) -> None:
    """Writes the recorded events. Runs last: while the aggregates' row locks are held, ids follow their order."""
    if not tx._recorded:
        return
    topics, keys, bodies = zip(*tx._recorded, strict=True)
    await tx.conn.execute(
        """WITH added AS (
               INSERT INTO outbox (topic, key, body) SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[]))
           SELECT pg_notify($4, '')""",
        topics,
        keys,
        bodies,
        OUTBOX_CHANNEL.format(service=tx.service),
    )
    tx._recorded.clear()
