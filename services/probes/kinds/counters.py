"""How fast counters grow: an agent tells how many there were since it started, and only the growth tells of today."""

from collections import OrderedDict
from collections.abc import Hashable

HOUR = 3600.0
MOST = 50_000
SHORTEST = 1.0


class Counters:
    """The last reading of each counter that this replica has asked for; of those that were not read for long, none."""

    def __init__(self) -> None:
        self._last: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def per_hour(self, key: Hashable, value: float, now: float) -> float | None:
        """How much the counter has grown in an hour since its last reading; ``now`` are seconds that never go back.

        None for a first reading, for one that is no second later, and where the counter began anew: agents restart,
        and 32 bits run over.
        """
        before = self._last.pop(key, None)
        self._last[key] = (now, value)
        if len(self._last) > MOST:
            self._last.popitem(last=False)
        if before is None or now - before[0] < SHORTEST or value < before[1]:
            return None
        return round((value - before[1]) * HOUR / (now - before[0]), 3)
