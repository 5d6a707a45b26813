"""Flapping: results that change too often to be told one by one. ``recent`` is one bit a result, 1 for a bad one.

Of the last 21 results 20 can differ from the one before: more than 20 % of them is too often, less than 5 % is calm.
"""

RESULTS = 21
TOO_OFTEN = 0.20
CALM = 0.05

_ALL = (1 << RESULTS) - 1
_PAIRS = RESULTS - 1


def note(recent: int, is_bad: bool) -> int:
    """The last 21 results with one more."""
    return (recent << 1 | is_bad) & _ALL


def steady(is_bad: bool) -> int:
    """Results that were all alike."""
    return _ALL if is_bad else 0


def changes(recent: int) -> int:
    """How many of the last 21 results differ from the one before."""
    return ((recent ^ recent >> 1) & _ALL >> 1).bit_count()


def is_too_often(recent: int) -> bool:
    """Whether flapping begins."""
    return changes(recent) > TOO_OFTEN * _PAIRS


def is_calm(recent: int) -> bool:
    """Whether flapping is over."""
    return changes(recent) < CALM * _PAIRS
