"""How fast images go into an archive and come out of it: the measures of import and export."""

from collections.abc import Mapping
from typing import Literal

from services.probes.kinds.domain import Measure

Way = Literal["store", "retrieve"]
_SHORTEST_SECONDS = 1e-6


def rate_measures(way: Way, how: str) -> Mapping[str, Measure]:
    """The two rates of a way; ``how`` says between which moments they are taken."""
    return {
        f"{way}_bytes_per_second": Measure("B/s", "lower", how, baseline=True),
        f"{way}_instances_per_second": Measure("images/s", "lower", how, baseline=True),
    }


def rates(way: Way, instances: int, size: int, seconds: float) -> dict[str, float]:
    """What so many instances of so many bytes together, in so many seconds, make."""
    seconds = max(seconds, _SHORTEST_SECONDS)
    return {
        f"{way}_bytes_per_second": round(size / seconds, 1),
        f"{way}_instances_per_second": round(instances / seconds, 3),
    }
