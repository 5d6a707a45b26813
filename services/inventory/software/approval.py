"""The approved list: which software may be on which assets, by name and version."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from typing import Annotated, Protocol

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from services.inventory.vendors.versions import compare
from shared.resource import Line

MAX_RANGE = 200
ANY, MAX_ANY = "*", 2
_BOUND = re.compile(r"(>=|<=|!=|=|<|>)?\s*([^\s,<>=!]+(?: [^\s,<>=!]+)*)")
_HOLDS: Mapping[str, Callable[[int, int], bool]] = {">=": ge, "<=": le, "!=": ne, "=": eq, "<": lt, ">": gt}


def parse_range(text: str) -> str:
    """A range of versions in its one spelling: bounds that all hold, ``>=5.2, <6``. Raises PydanticCustomError."""
    return ", ".join(operator + version for operator, version in _bounds(text))


@lru_cache(maxsize=4096)
def _bounds(text: str) -> list[tuple[str, str]]:
    matches = [_BOUND.fullmatch(part.strip()) for part in text.split(",")]
    bounds = [(match[1] or "=", match[2]) for match in matches if match is not None]
    if len(bounds) < len(matches) or len(text) > MAX_RANGE:
        raise PydanticCustomError(
            "version_range",
            "must be versions with >=, >, <, <=, = or != before them, separated by commas",
            {"example": ">=5.2, <6"},
        )
    return bounds


def parse_pattern(text: str) -> str:
    """A name with at most two ``*``: more would take long to compare. Raises PydanticCustomError."""
    if text.count(ANY) > MAX_ANY:
        raise PydanticCustomError("name_pattern", "must hold * at most twice", {"example": "PostgreSQL*"})
    return text


VersionRange = Annotated[Line, AfterValidator(parse_range)]


def is_in_range(version: str | None, text: str | None) -> bool:
    """Whether a version lies in a range that ``parse_range`` took. What has no version is in no range but the open."""
    if text is None:
        return True
    return version is not None and all(_HOLDS[op](compare(version, bound), 0) for op, bound in _bounds(text))


class Entry(Protocol):
    """What the list says of a name."""

    @property
    def name(self) -> str:
        """The name, in which ``*`` stands for any text."""

    @property
    def versions(self) -> str | None:
        """The range, or None for all versions."""

    @property
    def software_type(self) -> str | None:
        """The type, or None for all types."""


class Found(Protocol):
    """What an asset has."""

    @property
    def type(self) -> str:
        """Its type."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def version(self) -> str | None:
        """Its version."""


@dataclass(frozen=True)
class ApprovedList:
    """The entries that hold for an asset, ready to be asked. Upper and lower case are the same."""

    _named: Mapping[str, Sequence[Entry]] = field(default_factory=dict)
    _patterns: Sequence[tuple[re.Pattern[str], Entry]] = ()

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "ApprovedList":
        """The list of these entries."""
        named: dict[str, list[Entry]] = defaultdict(list)
        patterns = []
        for entry in entries:
            if ANY in entry.name:
                parts = (re.escape(part) for part in entry.name.casefold().split(ANY))
                patterns.append((re.compile(".*".join(parts)), entry))
            else:
                named[entry.name.casefold()].append(entry)
        return cls(named, patterns)

    def approves(self, found: Found) -> bool:
        """Whether an entry holds for its name, type and version."""
        return any(
            entry.software_type in (None, found.type) and is_in_range(found.version, entry.versions)
            for entry in self._about(found.name.casefold())
        )

    def _about(self, name: str) -> Iterator[Entry]:
        yield from self._named.get(name, ())
        for pattern, entry in self._patterns:
            if pattern.fullmatch(name):
                yield entry
