"""What the other services answered, with what is missing of it and why. A part that is missing hides no other."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Part(Generic[T_co]):
    """What a service told. With ``trouble``, the items are not all, or none at all; ``is_denied``: nor may they be.

    ``next`` is the cursor of the page that follows.
    """

    items: tuple[T_co, ...] = ()
    trouble: str | None = None
    is_denied: bool = False
    next: str | None = None


@dataclass(frozen=True)
class One(Generic[T_co]):
    """One thing that a service was asked for; without it, ``trouble`` says why, ``is_absent`` that there is none."""

    item: T_co | None = None
    trouble: str | None = None
    is_denied: bool = False
    is_absent: bool = False


def troubles_of(*parts: Part[object] | One[object]) -> tuple[str, ...]:
    """What is missing but should be there, each once."""
    return tuple(dict.fromkeys(part.trouble for part in parts if part.trouble and not part.is_denied))
