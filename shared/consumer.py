"""The consumer: applies each event once, in order, and stores how far it came in the transaction of the effect.

What one poll gave is applied in one transaction. If any message of it fails, all is rolled back and applied partition
by partition, and where that fails again, message by message: what still fails after bounded tries goes to quarantine,
and the rest goes on. A fault of the database or the network is no fault of the message: it ends the run, and the
supervisor starts it anew from the stored positions.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from tenacity import AsyncRetrying, RetryError, retry_if_exception, stop_after_attempt, wait_exponential

from shared import quarantine, telemetry
from shared.bus import Batch, Bus
from shared.database import Pool, is_transient
from shared.errors import Conflict, Replaced, Unavailable, Unreadable
from shared.events import Event, EventData, decode
from shared.positions import Move, Position, move_positions, select_positions, stored_offsets
from shared.telemetry import log
from shared.transactions import Transaction, begin, flush_outbox, new_id

Handler = Callable[[Transaction, Event[Any]], Awaitable[None]]
Handlers = Mapping[type[EventData], Sequence[Handler]]

BATCH = 500
POLL_SECONDS = 5.0
ATTEMPTS = 3


class Reader(Protocol):
    """What reads the bus for a service."""

    async def run(self) -> None:
        """Reads and applies until something fails."""

    async def replay(self, held: quarantine.Held, decided_by: str) -> None:
        """Applies a quarantined message now. Raises Conflict when it was decided before, or still can't be."""


@dataclass(frozen=True)
class Consumer:
    """The consumer of one service: which handlers apply which events."""

    service: str
    pool: Pool
    bus: Bus
    handlers: Handlers

    async def run(self) -> None:
        """Reads and applies until the bus or the database fails, or another member has taken a partition over."""
        topics = sorted(contract.event_type for contract in self.handlers)

        async def positions(partitions: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
            return await stored_offsets(self.pool, partitions)

        async with self.bus.subscription(self.service, topics, positions) as subscription:
            while True:
                if batches := await subscription.poll(BATCH, POLL_SECONDS):
                    await self.apply(*batches)

    async def apply(self, *batches: Batch) -> None:
        """Applies batches, each of another partition, and together if none of their messages fails.

        When this returns, each message is applied, was a repeat, or lies in quarantine.
        """
        try:
            await self._apply_together(batches)
        except Exception as exc:
            if is_passing(exc):
                raise
            log.info("consumer.batch_split", service=self.service, batches=len(batches), error=repr(exc))
            if len(batches) > 1:
                for batch in batches:
                    await self.apply(batch)
            else:
                for single in batches[0].split():
                    await self._apply_one(single)

    async def _apply_one(self, single: Batch) -> None:
        retries = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.05, max=1),
            # tenacity would also retry a cancellation, which is no Exception.
            retry=retry_if_exception(lambda exc: isinstance(exc, Exception) and not is_passing(exc)),
        )
        try:
            await retries(self._apply_together, [single])
        except RetryError as exc:
            cause = exc.last_attempt.exception()
            await self._apply_together([single], refuse=f"handler: {cause!r}")

    async def _apply_together(self, batches: Sequence[Batch], refuse: str | None = None) -> None:
        async with self.pool.acquire() as conn, conn.transaction():
            now = datetime.now(UTC)
            tx = Transaction(conn, self.service, now, f"service:{self.service}", new_id())
            moves: list[Move] = []
            olds = await select_positions(conn, [(batch.topic, batch.partition) for batch in batches])
            for batch, old in zip(batches, olds, strict=True):
                sequences = dict(old.sequences)
                for offset, raw in batch.messages:
                    if old.next_offset is not None and offset < old.next_offset:
                        raise Replaced(f"{batch.topic}/{batch.partition}: {offset} was applied by another consumer")
                    await self._apply_message(tx, batch, offset, raw, sequences, refuse)
                moves.append(Move(batch.topic, batch.partition, old, Position(batch.end, sequences)))
            await move_positions(conn, moves)
            await flush_outbox(tx)
        for batch in batches:
            if batch.lost is not None:
                self._tell_of_loss(batch.topic, batch.partition, *batch.lost)

    def _tell_of_loss(self, topic: str, partition: int, first: int, end: int) -> None:
        """What the bus no longer has can't be applied; the audit log makes an entry and an alert of it."""
        telemetry.LOST.labels(self.service, topic).inc(end - first)
        log.error("consumer.events_lost", service=self.service, topic=topic, partition=partition, first=first, end=end)

    async def _apply_message(
        self, tx: Transaction, batch: Batch, offset: int, raw: bytes, sequences: dict[str, int], refuse: str | None
    ) -> None:
        """Applies one message, unless it is a repeat or goes to quarantine."""
        try:
            event = decode(raw, topic=batch.topic, now=tx.now)
        except Unreadable as exc:
            await quarantine.hold(tx, batch.topic, batch.partition, offset, raw, str(exc))
            return
        if event.sequence <= sequences.get(event.source, 0):
            telemetry.REPEATED.labels(self.service).inc()
            return
        sequences[event.source] = event.sequence
        if refuse is not None:
            await quarantine.hold(tx, batch.topic, batch.partition, offset, raw, refuse)
            return
        await self.handle(tx, event)

    async def handle(self, tx: Transaction, event: Event[EventData]) -> None:
        """Runs the event's handlers in ``tx``, in its trace and in its actor's name."""
        handlers = self.handlers.get(type(event.data), ())
        if handlers or telemetry.is_traced(event.traceparent):
            attributes = {"service": self.service, "event.type": event.type, "event.id": event.id}
            with telemetry.span(f"{self.service} {event.type}", event.traceparent, attributes):
                for handler in handlers:
                    await handler(tx.caused_by(event), event)
        telemetry.CONSUMED.labels(self.service, event.type).inc()
        telemetry.CONSUME_DELAY.labels(self.service).observe(max(0.0, (tx.now - event.time).total_seconds()))

    async def replay(self, held: quarantine.Held, decided_by: str) -> None:
        """Applies a quarantined message now, whatever its sequence.

        Raises Conflict when it was decided before, or still can't be read or applied.
        """
        async with begin(self.pool, self.service, actor=decided_by) as tx:
            await quarantine.decide(tx, held.id, "replayed", "applied by hand")
            try:
                event = decode(held.raw, topic=held.topic, now=tx.now)
                await self.handle(tx, event)
            except Exception as exc:
                if is_passing(exc):
                    raise
                raise Conflict(f"the message still can't be applied: {str(exc) or repr(exc)}") from exc


def is_passing(exc: BaseException) -> bool:
    """Whether a fault lies outside the message: the infrastructure is away, or another consumer took over."""
    return isinstance(exc, Unavailable | Replaced) or is_transient(exc)
