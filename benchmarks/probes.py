"""The schedule of probes: 10,000 DICOM nodes asked each minute by one process on one core, 500 mute and 500 refusing.

Every node is asked from an association of its own. The process has one core; PostgreSQL, which is the bus too, and the
nodes have the others. STEWARD_BENCH_PROBES says for how many minutes it is watched after it has come to rest.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from time import monotonic

import asyncpg
import psutil

from benchmarks.figure import Figure, within
from benchmarks.ground import PROJECT, Ground, House
from benchmarks.processes import running
from shared.bus import Message
from shared.events import encode_unsequenced, with_sequence
from shared.events.inventory import AssetChanged, DicomAddress
from shared.transactions import new_id

MINUTES = float(os.environ.get("STEWARD_BENCH_PROBES", "2"))
TARGETS, SITES = 10_000, 20
MUTE = REFUSING = TARGETS // 20
A_BATCH = 500
REST_WITHIN = 600.0
SETTLE_SECONDS = 60
CLOSE_SECONDS = 15

LAG_MS = 250
PERCENT = 50
MEGABYTES = 350


@dataclass(frozen=True)
class Used:
    """What the process took: seconds of processor time, and the most memory that it was seen with."""

    cpu_seconds: float
    seconds: float
    rss: int


async def measure(ground: Ground, minutes: float = MINUTES) -> list[Figure]:
    """Lag from due time to start, processor time and memory of the process, and runs that are missing."""
    with _nodes() as ports:
        async with ground.house("postgres") as house, _probing(house, ground.folder / "probes") as process:
            await _tell(house, ports)
            await _come_to_rest(house)
            began = datetime.now(UTC)
            used = await _watch(process, minutes * 60)
            ended = datetime.now(UTC)
            await asyncio.sleep(CLOSE_SECONDS)
            lags = await _lags(house, began, ended)
            await _check_outcomes(house, began, ended)
    expected = TARGETS * minutes
    return [
        within("10,000 nodes a minute: lag, p99", quantiles(lags, n=100)[98], "ms", LAG_MS),
        within("10,000 nodes a minute: processor", 100 * used.cpu_seconds / used.seconds, "% of a core", PERCENT),
        within("10,000 nodes a minute: memory", used.rss / 2**20, "MB", MEGABYTES),
        Figure("10,000 nodes a minute: runs made", len(lags), "runs", "those due", expected, 0.999 * expected),
    ]


@contextmanager
def _nodes() -> Iterator[dict[str, list[int] | int]]:
    """The nodes' ports."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.probes_peer"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


@asynccontextmanager
async def _probing(house: House, folder: Path) -> AsyncIterator[psutil.Process]:
    """The service probes on the first core, all else that was started here on the others."""
    first, *others = psutil.Process().cpu_affinity() or [0]
    async with running(house, folder, ["probes"]) as system:
        process = psutil.Process(system.services["probes"].pid)
        for other in psutil.Process().children(recursive=True):
            _pin(other.pid, [first] if other == process else others or [first])
        yield process


def _pin(pid: int, cores: list[int]) -> None:
    """All threads of a process."""
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, cores)


async def _tell(house: House, ports: dict[str, list[int] | int]) -> None:
    """Tells of all nodes, as inventory does."""
    bus = house.bus()
    try:
        async with bus.publisher("inventory") as publisher:
            for first in range(0, TARGETS, A_BATCH):
                await publisher.publish([_node(number, ports) for number in range(first, first + A_BATCH)])
    finally:
        await bus.close()


def _node(number: int, ports: dict[str, list[int] | int]) -> Message:
    data = AssetChanged(
        kind="node",
        name=f"Node {number}",
        state="in_service",
        version=1,
        dicom=DicomAddress(ae_title=f"NODE{number}", host="127.0.0.1", port=_port(number, ports), role="modality"),
    )
    subject = new_id()
    body = encode_unsequenced(
        data,
        event_id=new_id(),
        source="/services/inventory",
        subject=subject,
        time=datetime.now(UTC),
        site_id=f"site-{number // 20 % SITES}",
        actor="benchmark",
        correlation_id=new_id(),
        causation_id=None,
        traceparent=None,
    )
    return Message(AssetChanged.event_type, subject, with_sequence(body, number + 1))


def _port(number: int, ports: dict[str, list[int] | int]) -> int:
    echo = ports["echo"]
    assert isinstance(echo, list)
    # One of twenty is mute and one refuses, at each site alike.
    port = {0: ports["mute"], 1: ports["closed"]}.get(number % 20, echo[number % len(echo)])
    assert isinstance(port, int)
    return port


async def _come_to_rest(house: House) -> None:
    """Waits until every node was asked and those that don't answer have their alert, then a little longer."""
    conn = await asyncpg.connect(house.owner)
    try:
        async with asyncio.timeout(REST_WITHIN):
            while True:
                asked = await conn.fetchval("SELECT count(*) FROM probes.probes WHERE last_result IS NOT NULL")
                open_alerts = await conn.fetchval("SELECT count(*) FROM probes.alerts WHERE resolved_at IS NULL")
                if asked == TARGETS and open_alerts >= MUTE + REFUSING:
                    break
                await asyncio.sleep(2)
    finally:
        await conn.close()
    await asyncio.sleep(SETTLE_SECONDS)


async def _watch(process: psutil.Process, seconds: float) -> Used:
    before, began, rss = _cpu(process), monotonic(), 0
    while monotonic() < began + seconds:
        rss = max(rss, process.memory_info().rss)
        await asyncio.sleep(1)
    return Used(_cpu(process) - before, monotonic() - began, rss)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _lags(house: House, began: datetime, ended: datetime) -> list[float]:
    conn = await asyncpg.connect(house.owner)
    try:
        rows = await conn.fetch(
            "SELECT lag_ms FROM probes.results WHERE due_at >= $1 AND due_at < $2 AND outcome <> 'skipped'",
            began,
            ended,
        )
    finally:
        await conn.close()
    return [row["lag_ms"] for row in rows]


async def _check_outcomes(house: House, began: datetime, ended: datetime) -> None:
    """Fails unless the nodes answered, or failed, as they should."""
    conn = await asyncpg.connect(house.owner)
    try:
        rows = await conn.fetch(
            """SELECT outcome, failure, count(DISTINCT subject) AS subjects FROM probes.results
               WHERE due_at >= $1 AND due_at < $2 GROUP BY 1, 2""",
            began,
            ended,
        )
    finally:
        await conn.close()
    told = {(row["outcome"], row["failure"]): row["subjects"] for row in rows}
    assert told.keys() == {("ok", None), ("failed", "timeout_association"), ("failed", "refused")}, told
