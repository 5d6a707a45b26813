"""Time in: notices become deliveries when they are due, and deliveries are sent when it is their turn.

Mail about alerts has a lane of its own: announcements that hang on a slow mail server take no place in it.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.notifier.audience import handlers as audience
from services.notifier.delivery import handlers
from services.notifier.delivery.addresses import Party
from services.notifier.delivery.domain import Claimed, Outcome, RetryPolicy, Withheld, reader_of
from services.notifier.delivery.message import Head, Letter, build_message, message_id
from services.notifier.delivery.smtp import Mailer
from shared import telemetry
from shared.consumer import is_passing
from shared.database import Connection, Pool
from shared.telemetry import log
from shared.transactions import begin
from shared.waking import wait_at_most

SERVICE = "notifier"
SLOTS = 4
LONGEST_REST = 5.0

Write = Callable[[Connection, Claimed, Party, datetime], Awaitable[Letter | Withheld]]
"""Puts a delivery's notice into words for one reader by what is known at that moment, or says why it stays here."""


@dataclass(frozen=True)
class Addressing:
    """Addresses each notice to its audience when it becomes due."""

    pool: Pool
    woken: asyncio.Event

    async def run(self) -> None:
        """Works for ever; any number may run beside each other."""
        while True:
            self.woken.clear()
            async with begin(self.pool, SERVICE) as tx:
                next_due = await handlers.address_due_notices(tx)
            await wait_at_most(self.woken, _seconds_until(next_due))


@dataclass(frozen=True)
class Outbound:
    """How mail leaves: the server, the sender's name, when to try again, how long one sender may keep a delivery."""

    mailer: Mailer
    sender: Party
    policy: RetryPolicy
    lease: timedelta


@dataclass(frozen=True)
class Lane:
    """Sends the urgent deliveries or the others, a few at a time.

    A delivery whose sender is lost is taken up again when its lease ends, under the same Message-ID. A mail that the
    server has accepted is stored once, by whoever holds the lease then.
    """

    pool: Pool
    outbound: Outbound
    write: Write
    urgent: bool
    woken: asyncio.Event
    _sending: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self) -> None:
        """Works for ever; raises the first fault of the database, which ends the sends that are on the way."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self.woken.clear()
                    next_try_at = await self._send_due(group)
                    await wait_at_most(self.woken, _seconds_until(next_try_at))
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from faults

    async def _send_due(self, group: asyncio.TaskGroup) -> datetime | None:
        async with begin(self.pool, SERVICE) as tx:
            claimed, next_try_at = await handlers.lease_deliveries(
                tx,
                urgent=self.urgent,
                limit=SLOTS - len(self._sending),
                owner=socket.gethostname(),
                duration=self.outbound.lease,
            )
        for delivery in claimed:
            task = group.create_task(self._deliver(delivery))
            self._sending.add(task)
            task.add_done_callback(self._leave)
        return next_try_at

    def _leave(self, task: "asyncio.Task[None]") -> None:
        self._sending.discard(task)
        self.woken.set()

    async def _deliver(self, claimed: Claimed) -> None:
        notice = claimed.notice
        with telemetry.span("notifier deliver", notice.traceparent, {"notice.kind": notice.kind}):
            outcome = await self._attempt(claimed)
            name = message_id(claimed.id, self.outbound.sender.address)
            async with begin(self.pool, SERVICE, correlation_id=notice.correlation_id) as tx:
                await handlers.settle_delivery(tx, claimed, outcome, name, self.outbound.policy)

    async def _attempt(self, claimed: Claimed) -> Outcome | Withheld:
        async with self.pool.acquire() as conn:
            reader = reader_of(await audience.find_recipient(conn, claimed.person_id))
            if not isinstance(reader, Party):
                return reader
            letter = await self._letter(conn, claimed, reader)
        if isinstance(letter, Withheld):
            return letter
        head = Head(claimed.id, letter.thread, self.outbound.sender, reader, claimed.planned_at)
        message = build_message(head, letter.content, letter.invitation)
        return await self.outbound.mailer.send(message, reader.address)

    async def _letter(self, conn: Connection, claimed: Claimed, reader: Party) -> Letter | Withheld:
        try:
            return await self.write(conn, claimed, reader, datetime.now(UTC))
        except Exception as exc:
            if is_passing(exc):
                raise
            log.error("mail.unwritable", delivery=claimed.id, exc_info=exc)
            return Withheld(f"it can't be put into words: {type(exc).__name__}", is_lost=True)


def _seconds_until(instant: datetime | None) -> float:
    """Until that time, at most LONGEST_REST in case the bell is away."""
    return LONGEST_REST if instant is None else min((instant - datetime.now(UTC)).total_seconds(), LONGEST_REST)
