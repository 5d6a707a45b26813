"""What each service takes while nothing happens, as a process of its own on Kafka."""

import asyncio

import psutil

from benchmarks.figure import Figure, within
from benchmarks.ground import Ground
from benchmarks.processes import ServiceProcess, running
from services.registry import SERVICES

SETTLE_SECONDS = 15
SECONDS = 30
MEGABYTES = 120
PERCENT = 1.0


async def measure(ground: Ground) -> list[Figure]:
    """Memory (resident, shared pages included) and processor time of each service over half a minute."""
    async with ground.house("kafka") as house, running(house, ground.folder / "idle", SERVICES) as system:
        await asyncio.sleep(SETTLE_SECONDS)
        before = {service: _seconds(process) for service, process in system.services.items()}
        await asyncio.sleep(SECONDS)
        used = {service: _seconds(process) - before[service] for service, process in system.services.items()}
        memory = {
            service: psutil.Process(process.pid).memory_info().rss for service, process in system.services.items()
        }
    return [
        *(within(f"idle {service}: memory", memory[service] / 2**20, "MB", MEGABYTES) for service in SERVICES),
        *(
            within(f"idle {service}: processor", 100 * used[service] / SECONDS, "% of a core", PERCENT)
            for service in SERVICES
        ),
    ]


def _seconds(process: ServiceProcess) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system
