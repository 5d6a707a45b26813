"""Events on a bus, and writers of the log over them that can be started, killed and stopped."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing.process import BaseProcess

import asyncpg

from services.compliance.checkpoints.publish import Unsigned
from services.compliance.log.writer import LEASE_SECONDS, SERVICE, Writer
from shared import telemetry
from shared.bus import Bus, Message
from shared.bus.kafka import KafkaAccess, KafkaBus
from shared.bus.postgres import PostgresBus
from shared.database import Pool, open_pool
from shared.events import encode_unsequenced, with_sequence
from shared.events.probes import ProbeResult
from shared.supervise import Supervisor
from shared.transactions import new_id

TOPIC = "probe.result"
SUBJECTS = 7


@dataclass(frozen=True)
class Stage:
    """Where a writer works. ``dsn`` is its own way to the database, which may lead through a proxy."""

    dsn: str
    direct: str
    bus_dsn: str
    kafka: str | None = None
    lease_seconds: float = LEASE_SECONDS
    checkpoint_seconds: float = 0.2

    def bus(self) -> Bus:
        """The bus that is read."""
        return PostgresBus(self.bus_dsn) if self.kafka is None else KafkaBus(KafkaAccess(self.kafka))

    def writer(self, pool: Pool, bus: Bus) -> Writer:
        """A writer of the log."""
        every = timedelta(seconds=self.checkpoint_seconds)
        return Writer(self.dsn, pool, bus, every, Unsigned(), self.lease_seconds)

    async def pool(self) -> Pool:
        """Connections of the service's role, past any proxy."""
        return await open_pool(self.direct, schema=SERVICE, application="test-compliance", max_size=3)


@dataclass
class Source:
    """Publishes results of probes in the place of the service probes; remembers their exact bytes."""

    bus: Bus
    published: list[bytes] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def publish(self, events: int, *, and_nonsense: bool = False) -> None:
        """Publishes that many events of a few subjects, and a message that is no event."""
        messages = [self._message() for _ in range(events)]
        self.published += [message.value for message in messages]
        if and_nonsense:
            messages.append(Message(TOPIC, "nonsense", b"{"))
        async with self.bus.publisher("probes") as publisher:
            await publisher.publish(messages)

    def skip(self, events: int) -> None:
        """Goes on behind that many events, which another source has published under the same name."""
        self._numbers = count(events + 1)

    async def heads(self, database: str) -> dict[int, int]:
        """Where each partition of the embedded bus ends that has messages."""
        conn = await asyncpg.connect(database)
        rows = await conn.fetch(
            "SELECT partition, next_offset FROM bus.heads WHERE topic = $1 AND next_offset > 0", TOPIC
        )
        await conn.close()
        return {row[0]: row[1] for row in rows}

    def _message(self) -> Message:
        number = next(self._numbers)
        subject = f"archive-{number % SUBJECTS}"
        now = datetime.now(UTC)
        data = ProbeResult(
            probe_id=subject,
            kind="dicom-echo",
            due_at=now,
            started_at=now,
            outcome="ok",
            failure=None,
            detail="",
            phases={"echo": 1.5},
            lag_ms=1.0,
            vantage="central",
        )
        body = encode_unsequenced(
            data,
            event_id=new_id(),
            source="/services/probes",
            subject=subject,
            time=now,
            site_id=("north", "south")[number % 2],
            actor="service:probes",
            correlation_id=new_id(),
            causation_id=None,
            traceparent=None,
        )
        return Message(TOPIC, subject, with_sequence(body, number))


def write(stage: Stage) -> None:
    """A process that keeps a writer running for ever, as the service does."""
    telemetry.configure_logs("error")
    asyncio.run(_write(stage))


async def _write(stage: Stage) -> None:
    writer = stage.writer(await stage.pool(), stage.bus())
    await Supervisor(SERVICE).keep_running("consumer", writer.run)


class Writers:
    """Processes that write, forked from one that has imported all they need."""

    def __init__(self) -> None:
        self._forks = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload([__name__])
        self._processes: list[BaseProcess] = []

    def start(self, stage: Stage) -> BaseProcess:
        """Starts one more."""
        process = self._forks.Process(target=write, args=(stage,), daemon=True)
        process.start()
        self._processes.append(process)
        return process

    def stop_all(self) -> None:
        """Kills all."""
        for process in self._processes:
            process.kill()
            process.join()


@contextmanager
def writers() -> Iterator[Writers]:
    """Processes that end with the block."""
    started = Writers()
    try:
        yield started
    finally:
        started.stop_all()


def send_signal(process: BaseProcess, signum: signal.Signals) -> None:
    """Sends a signal; SIGKILL is waited for."""
    assert process.pid is not None
    os.kill(process.pid, signum)
    if signum is signal.SIGKILL:
        process.join()
