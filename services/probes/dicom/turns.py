"""How long one association may hold the event loop while what it reads has already come."""

from time import perf_counter

# An echo takes at most thirteen turns of the loop, and is to lose less than 5 ms to a peer that never lets one end.
SECONDS = 0.00015


class Turn:
    """The time since the event loop last gave this association its turn. Counting PDUs would not do: some cost more."""

    __slots__ = ("_ends_at",)

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """The loop has gone round."""
        self._ends_at = perf_counter() + SECONDS

    def is_over(self) -> bool:
        """Whether it is the turn of others."""
        return perf_counter() >= self._ends_at
