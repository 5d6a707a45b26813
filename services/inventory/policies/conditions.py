"""What a policy asks of the data of an event, made into functions once: gates ask it thousands of times a second."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

Data = Mapping[str, Any]
Check = Callable[[Data], bool]
Reader = Callable[[Data], list[Any]]
_NOTHING: list[Any] = []


@lru_cache(maxsize=512)
def reader_of(path: str) -> Reader:
    """What finds the values at a path: those of each member where a list lies on it, none where it leads nowhere."""
    first, *deeper = path.split(".")

    def read(data: Data) -> list[Any]:
        value = data.get(first, _NOTHING)
        return value if isinstance(value, list) else [value]

    def read_deeper(data: Data) -> list[Any]:
        found = read(data)
        for part in deeper:
            inner = [one[part] for one in found if isinstance(one, Mapping) and part in one]
            found = [value for one in inner for value in (one if isinstance(one, list) else [one])]
        return found

    return read_deeper if deeper else read


def values_at(data: Data, path: str) -> list[Any]:
    """The values at a path."""
    return reader_of(path)(data)


def one_of(path: str, wanted: Sequence[Any]) -> Check:
    """Whether a value is one of those wanted, and of its type: True is no 1."""
    read, known = reader_of(path), tuple((type(value), value) for value in wanted)

    def check(data: Data) -> bool:
        for value in read(data):  # noqa: SIM110 -- gates ask this most often, and a generator takes as long again
            if (type(value), value) in known:
                return True
        return False

    return check


def at_least(path: str, bound: float) -> Check:
    """Whether a value is a number that is at least so much."""
    read = reader_of(path)

    def check(data: Data) -> bool:
        return any(type(value) in (int, float) and value >= bound for value in read(data))

    return check


def differs_from(path: str, other: str) -> Check:
    """Whether something is said, and none of it at the other path."""
    read, read_other = reader_of(path), reader_of(other)

    def check(data: Data) -> bool:
        said = [value for value in read(data) if value is not None]
        return bool(said) and not any(value in said for value in read_other(data))

    return check


def all_of(checks: Sequence[Check]) -> Check:
    """Whether everything holds."""
    return checks[0] if len(checks) == 1 else lambda data: all(check(data) for check in checks)


def any_of(checks: Sequence[Check]) -> Check:
    """Whether anything holds."""
    return checks[0] if len(checks) == 1 else lambda data: any(check(data) for check in checks)
