"""The schedule of probes for ten minutes. Runs only when it is named."""

from benchmarks import probes
from benchmarks.figure import Figure
from benchmarks.ground import Ground

MINUTES = 10


async def measure(ground: Ground) -> list[Figure]:
    """As ``probes``, for longer."""
    return await probes.measure(ground, MINUTES)
