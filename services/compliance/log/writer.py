"""The one writer of the log: reads every topic and appends what it reads, each event once, in one commit a batch.

While PostgreSQL takes one batch, the next is hashed and packed, and the one behind it is read and checked. Batches grow
with the load: each is what has arrived while the one before was read, at most BATCH events.

One writer leads, by a lease in the row ``head``; others stand by. Taking over raises the epoch there, which every batch
must find unchanged, so a writer that was stopped and goes on later appends nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple, Protocol

import asyncpg

from services.compliance.log import store
from services.compliance.log.append import grow, seal
from services.compliance.log.domain import Added, Arrival, Manifest, State
from services.compliance.log.entry import parse_entry
from services.compliance.log.growing import MAX_SITES, Growing
from services.compliance.log.reading import read_arrival, read_arrivals
from shared import quarantine, telemetry
from shared.bus import Batch, Bus
from shared.database import Connection, Pool, connect
from shared.errors import Conflict, Replaced, Unreadable
from shared.events import CONTRACTS, GROUP
from shared.events.alerts import AlertRaised
from shared.events.compliance import EventsLost
from shared.positions import Move, Position, move_positions, select_positions, stored_offsets
from shared.telemetry import log
from shared.transactions import Transaction, begin, flush_outbox, new_id, utc_now

SERVICE = "compliance"
BATCH = 16_384
PIECE = 256
LEASE_SECONDS = 5.0
RENEWALS = 3
LOOKS = 10
CLOSE_SECONDS = 2.0

PartitionId = tuple[str, int]


class Unread(NamedTuple):
    """A message that is no event; it goes to quarantine."""

    topic: str
    partition: int
    offset: int
    raw: bytes
    reason: str


class Lost(NamedTuple):
    """Messages that the bus dropped before they were read."""

    topic: str
    partition: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one poll gave. It is written once `seal` has made the tree of what it adds."""

    now: datetime
    arrivals: Sequence[Arrival]
    added: Added
    moves: Sequence[Move]
    unread: Sequence[Unread]
    lost: Sequence[Lost]
    repeated: int


@dataclass
class _Reading:
    """What is read of the messages of one poll, and what is grown of it. ``sites`` are those that have entries then.

    ``arrivals`` stand with the latest time of an event up to them in their partition.
    """

    now: datetime
    growing: Growing
    sites: set[str]
    arrivals: list[tuple[datetime, Arrival]] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    repeated: int = 0

    async def read(self, batch: Batch, old: Position) -> Position:
        """Reads the messages of a partition and returns the position behind them. Raises Replaced."""
        if batch.lost is not None:
            self.lost.append(Lost(batch.topic, batch.partition, *batch.lost))
        if batch.messages and old.next_offset is not None and (offset := batch.messages[0][0]) < old.next_offset:
            raise Replaced(f"{batch.topic}/{batch.partition}: {offset} was appended by another writer")
        sequences, fresh = dict(old.sequences), list[Arrival]()
        for start in range(0, len(batch.messages), PIECE):
            fresh += self._read_piece(batch, batch.messages[start : start + PIECE], sequences)
            # Between its answers PostgreSQL waits for this process: it is to work on the batch before meanwhile.
            await asyncio.sleep(0)
        self.arrivals += zip(accumulate([arrival.envelope.time for arrival in fresh], max), fresh, strict=True)
        return Position(batch.end, sequences)

    def _read_piece(
        self, batch: Batch, messages: Sequence[tuple[int, bytes]], sequences: dict[str, int]
    ) -> list[Arrival]:
        """The events among these messages that are no repeats."""
        fresh = []
        read = read_arrivals([raw for _, raw in messages], topic=batch.topic, now=self.now)
        for (offset, raw), one in zip(messages, map(self._admit, read), strict=True):
            if isinstance(one, Unreadable):
                self.unread.append(Unread(batch.topic, batch.partition, offset, raw, str(one)))
            elif (sequence := int(one.envelope.sequence)) > sequences.get(one.envelope.source, 0):
                sequences[one.envelope.source] = sequence
                fresh.append(one)
            else:
                self.repeated += 1
        return fresh

    def _admit(self, one: Arrival | Unreadable) -> Arrival | Unreadable:
        """The same, unless it is of one site too many."""
        if isinstance(one, Arrival) and (site_id := one.envelope.siteid) not in self.sites:
            if len(self.sites) >= MAX_SITES:
                return Unreadable(f"siteid: {site_id!r} is one too many; the log has entries of {MAX_SITES} sites")
            self.sites.add(site_id)
        return one

    async def grow(self) -> None:
        """Adds the arrivals in the order of their events' times, as far as each partition's own order lets.

        What is alike then stands together: entries pack smaller, and index pages fill from one end.
        """
        self.arrivals.sort(key=itemgetter(0))
        for start in range(0, len(self.arrivals), PIECE):
            self.growing.add_arrivals([arrival for _, arrival in self.arrivals[start : start + PIECE]])
            await asyncio.sleep(0)


class Seals(Protocol):
    """Where the log's manifests go."""

    async def guard(self, conn: Connection, state: State) -> None:
        """Looks at the log before it is appended to. Raises where its history is not the one that was published."""

    def sealed(self, manifest: Manifest) -> None:
        """Is told of a manifest that is in the log."""


@dataclass
class Writer:
    """Appends while it leads. When ``checkpoint_every`` has passed since the last manifest, one closes a batch.

    All writers of a log have the same ``lease_seconds``: another one takes over that long after this one's last sign.
    """

    dsn: str
    pool: Pool
    bus: Bus
    checkpoint_every: timedelta
    seals: Seals
    lease_seconds: float = LEASE_SECONDS
    clock: Callable[[], datetime] = utc_now

    async def run(self) -> None:
        """Stands by until the log is free, then appends until the bus or the database fails or it is replaced."""
        holder = f"steward-log-{new_id()[-12:]}"
        conn = await connect(self.dsn, schema=SERVICE, application=holder, settings={"steward.sites": "*"})
        try:
            epoch = await _stand_by(conn, holder, self.lease_seconds)
            log.info("log.leading", service=SERVICE, epoch=epoch)
            try:
                # In one snapshot: a message that is replayed by hand meanwhile must not look like damage.
                async with conn.transaction(isolation="repeatable_read", readonly=True):
                    state, sealed = await store.select_state(conn), await store.select_sealed_size(conn)
                    await self.seals.guard(conn, state)
                await _Lead(self, conn, epoch, state, sealed).run()
            finally:
                with suppress(Exception):
                    async with asyncio.timeout(CLOSE_SECONDS):
                        await store.give_lease_back(conn, epoch)
        finally:
            conn.terminate()

    async def replay(self, held: quarantine.Held, decided_by: str) -> None:
        """Appends a quarantined message now, whatever its sequence; the writer that leads begins anew behind it.

        Raises Conflict when it was decided before, still can't be read, or is in the log: a relay that crashed sends
        its last messages again, and each of them may have been laid aside.
        """
        async with begin(self.pool, SERVICE, actor=decided_by) as tx:
            await quarantine.decide(tx, held.id, "replayed", "appended by hand")
            try:
                arrival = read_arrival(held.raw, topic=held.topic, now=tx.now)
            except Unreadable as exc:
                raise Conflict(f"the message still can't be read: {exc}") from exc
            epoch = await store.lock_epoch(tx.conn)
            await _check_new(tx.conn, arrival)
            state = await store.select_state(tx.conn)
            await self.seals.guard(tx.conn, state)
            growth = grow(state, [arrival], tx.now)
            await store.append(tx.conn, growth, epoch=epoch, lease_seconds=self.lease_seconds)


async def _check_new(conn: Connection, arrival: Arrival) -> None:
    alike = await store.select_entries(conn, await store.select_alike(conn, arrival.envelope))
    for index, entry in alike.items():
        if parse_entry(entry).event == arrival.raw:
            raise Conflict(f"the message is in the log: it is entry {index}")


async def _stand_by(conn: Connection, holder: str, lease_seconds: float) -> int:
    """Waits until ``holder`` leads, and returns its epoch.

    Whoever holds the head's lock longer than the lease lasts has stopped in the middle; its sessions are ended.
    """
    pause = lease_seconds / LOOKS
    while True:
        try:
            async with conn.transaction():
                if (epoch := await store.take_lease(conn, holder, lease_seconds, pause)) is not None:
                    return epoch
        except asyncpg.LockNotAvailableError:
            if (stopped := await store.select_lapsed_holder(conn, lease_seconds)) is not None:
                log.warning("log.holder_ended", service=SERVICE, holder=stopped)
                await store.end_sessions(conn, [stopped, store.GUEST])
        await asyncio.sleep(pause)


class _Lead:
    """A writer's time as the one that leads. ``sealed`` is the size up to the last manifest.

    Of three batches one is read, one is hashed and packed, and one is written, all at once.
    """

    def __init__(self, writer: Writer, conn: Connection, epoch: int, state: State, sealed: int) -> None:
        self.writer = writer
        self.conn = conn
        self.epoch = epoch
        self.growing = Growing(state)
        self.state = state
        self.sealing = asyncio.Lock()
        self.sealed = sealed
        self.due = 0.0
        self.positions: dict[PartitionId, Position] = {}

    async def run(self) -> None:
        before = writing = asyncio.create_task(asyncio.sleep(0))
        try:
            async with self.writer.bus.subscription(
                SERVICE, sorted(CONTRACTS), self._stored, alone=True
            ) as subscription:
                while True:
                    batches = await subscription.poll(BATCH, self.writer.lease_seconds / RENEWALS)
                    await self._load_positions(batches)
                    step = await self._prepare(batches)
                    # What has failed is heard of at once, also where nothing new arrives.
                    await (writing if writing.done() else before)
                    before, writing = writing, asyncio.create_task(self._write(step, writing))
                    # Lets the statement leave before the next batch takes the processor.
                    await asyncio.sleep(0)
        finally:
            for task in (before, writing):
                task.cancel()
            _, unfinished = await asyncio.wait([before, writing], timeout=CLOSE_SECONDS)
            if unfinished:
                self.conn.terminate()
            await asyncio.gather(before, writing, return_exceptions=True)

    async def _stored(self, partitions: Sequence[PartitionId]) -> Mapping[PartitionId, int]:
        return await stored_offsets(self.writer.pool, partitions)

    async def _load_positions(self, batches: Sequence[Batch]) -> None:
        fresh = [where for batch in batches if (where := (batch.topic, batch.partition)) not in self.positions]
        if fresh:
            async with self.writer.pool.acquire() as conn:
                self.positions |= dict(zip(fresh, await select_positions(conn, fresh), strict=True))

    async def _prepare(self, batches: Sequence[Batch]) -> Step:
        """All that can be done without the database. A clock that was set back does not make events look early."""
        now = self.growing.record_at(self.writer.clock())
        reading = _Reading(now, self.growing, {*self.growing.sites, GROUP})
        moves = []
        for batch in batches:
            where = (batch.topic, batch.partition)
            old = self.positions[where]
            self.positions[where] = await reading.read(batch, old)
            moves.append(Move(*where, old, self.positions[where]))
        await reading.grow()
        added = self.growing.take(new_id() if self._is_due() else None)
        if added.lines is not None:
            self.sealed = self.growing.size
        arrivals = [arrival for _, arrival in reading.arrivals]
        return Step(now, arrivals, added, moves, reading.unread, reading.lost, reading.repeated)

    def _is_due(self) -> bool:
        """Whether a manifest closes this batch."""
        now = asyncio.get_running_loop().time()
        if now < self.due or self.growing.size == self.sealed:
            return False
        self.due = now + self.writer.checkpoint_every.total_seconds()
        return True

    async def _write(self, step: Step, before: "asyncio.Task[None]") -> None:
        """Makes the tree of a batch while the one before is written, then writes it."""
        async with self.sealing:
            growth = await asyncio.to_thread(seal, self.state, step.added)
            self.state = growth.after
        await before
        tx = Transaction(self.conn, SERVICE, step.now, f"service:{SERVICE}", new_id())
        async with self.conn.transaction():
            await store.append(self.conn, growth, epoch=self.epoch, lease_seconds=self.writer.lease_seconds)
            for unread in step.unread:
                await quarantine.hold(tx, *unread)
            for lost in step.lost:
                _tell_of_loss(tx, lost)
            await move_positions(self.conn, step.moves)
            await flush_outbox(tx)
        _measure(step)
        if growth.manifest is not None:
            self.writer.seals.sealed(growth.manifest)


def _tell_of_loss(tx: Transaction, lost: Lost) -> None:
    """Records and alarms that the bus dropped what the log had not read; the record becomes an entry."""
    where = f"{lost.topic}/{lost.partition}"
    tx.record(
        EventsLost(topic_name=lost.topic, partition=lost.partition, first=lost.first, end=lost.end),
        subject=where,
        site_id=GROUP,
    )
    raised = AlertRaised(
        alert_id=new_id(),
        check="audit log",
        asset_name=where,
        severity="critical",
        summary=f"the bus dropped the messages {lost.first} to {lost.end - 1} before the audit log had read them",
        since=tx.now,
    )
    tx.record(raised, subject=where, site_id=GROUP)


def _measure(step: Step) -> None:
    telemetry.REPEATED.labels(SERVICE).inc(step.repeated)
    envelopes = [arrival.envelope for arrival in step.arrivals]
    for event_type, count in Counter([envelope.type for envelope in envelopes]).items():
        telemetry.CONSUMED.labels(SERVICE, event_type).inc(count)
    if envelopes:
        oldest = min([envelope.time for envelope in envelopes])
        telemetry.CONSUME_DELAY.labels(SERVICE).observe(max(0.0, (step.now - oldest).total_seconds()))
    for envelope in [envelope for envelope in envelopes if telemetry.is_traced(envelope.traceparent)]:
        attributes = {"service": SERVICE, "event.type": envelope.type, "event.id": envelope.id}
        with telemetry.span(f"{SERVICE} {envelope.type}", envelope.traceparent, attributes):
            log.debug("log.appended", service=SERVICE, id=envelope.id)
