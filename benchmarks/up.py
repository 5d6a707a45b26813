"""All of `steward up`: how soon it answers the second time, and what memory it and its PostgreSQL take."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import httpx
import psutil

from benchmarks.figure import Figure, within
from benchmarks.ground import PROJECT, Ground

SETTLE_SECONDS = 20
MEGABYTES = 400
START_SECONDS = 15
STARTS_WITHIN = 120.0


async def measure(ground: Ground) -> list[Figure]:
    """The first start makes the database; the second is timed, left alone with its simulated group, and weighed."""
    home = ground.folder / "up"
    with _steward_up(home) as first:
        await _answers(first, home)
    with _steward_up(home) as second:
        seconds = await _answers(second, home)
        await asyncio.sleep(SETTLE_SECONDS)
        weight = _weight(second.pid)
    return [
        within("steward up, second start", seconds, "s", START_SECONDS),
        within("steward up, all processes: memory", weight / 2**20, "MB", MEGABYTES),
    ]


@contextmanager
def _steward_up(home: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "services", "up", "--home", str(home)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


async def _answers(process: "subprocess.Popen[bytes]", home: Path) -> float:
    """Seconds from now until the process serves requests."""
    began = perf_counter()
    async with asyncio.timeout(STARTS_WITHIN), httpx.AsyncClient() as client:
        while True:
            assert process.poll() is None, "steward up has ended"
            try:
                told = json.loads((home / "up.json").read_text())
                if (await client.get(f"{told['url']}/inventory/health/ready")).status_code == 200:
                    return perf_counter() - began
            except (OSError, httpx.HTTPError):
                pass
            await asyncio.sleep(0.05)


def _weight(pid: int) -> int:
    """Bytes of a process and all below it; a page that several share counts in parts (PSS, Linux smaps_rollup)."""
    root = psutil.Process(pid)
    return sum(process.memory_full_info().pss for process in [root, *root.children(recursive=True)])
