"""Percentiles of many values without keeping them: counts in bins that are 2 % wide, which add up over any periods.

A percentile is within 1 % of the value that really has its rank (but for values nearer to 0 than 1e-9, which count as
0). Bins are counted where the values lie, by ``log_bin`` in the database; here they are read. The idea is DDSketch's
(Masson, Rim, Lee, VLDB 2019).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

WIDTH = 1.02
SMALLEST = 1e-9
OFFSET = 1047
RELATIVE_ERROR = (WIDTH - 1) / (WIDTH + 1)

Bins = Mapping[int, int]
"""How many values lie in each bin."""


def bin_of(value: float) -> int:
    """The bin of a value; bins sort as their values do."""
    if abs(value) < SMALLEST:
        return 0
    size = math.ceil(math.log(abs(value)) / math.log(WIDTH)) + OFFSET
    return size if value > 0 else -size


def middle_of(bin_number: int) -> float:
    """The value that stands for all of a bin: within 1 % of each."""
    if bin_number == 0:
        return 0.0
    upper = WIDTH ** (abs(bin_number) - OFFSET)
    return math.copysign(upper * 2 / (WIDTH + 1), bin_number)


def quantile(bins: Bins, share: float) -> float | None:
    """The value below which ``share`` of the values lie, by nearest rank; None where there are none."""
    total = sum(bins.values())
    if not total:
        return None
    rank = max(1, math.ceil(share * total))
    seen = 0
    for number in sorted(bins):
        seen += bins[number]
        if seen >= rank:
            return middle_of(number)
    raise AssertionError("a rank lies beyond the last value")


def merged(*parts: Bins) -> dict[int, int]:
    """The bins of all values together."""
    whole: dict[int, int] = {}
    for part in parts:
        for number, count in part.items():
            whole[number] = whole.get(number, 0) + count
    return whole


@dataclass(frozen=True, slots=True)
class Values:
    """What is known of many values: their count and sum, the least and the greatest, and their bins."""

    count: int
    sum: float
    least: float | None
    greatest: float | None
    bins: Bins

    @classmethod
    def of(cls, value: float) -> "Values":
        """One value."""
        return cls(1, value, value, value, {bin_of(value): 1})

    @property
    def mean(self) -> float | None:
        """Their mean; None where there are none."""
        return self.sum / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """The value of that rank within 1 %; the least and the greatest are exact, and no rank lies beyond them."""
        estimate = quantile(self.bins, share)
        if estimate is None or self.least is None or self.greatest is None:
            return estimate
        return min(max(estimate, self.least), self.greatest)
