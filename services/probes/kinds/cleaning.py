"""What a peer may make us keep: its text is its own, so all that a run saw is cleaned and bounded before it goes on."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from services.probes.kinds.domain import Observation

LONGEST_DETAIL = 1000
LONGEST_VALUE = 1000
LONGEST_NAME = 63
LONGEST_FAILURE = 60
LONGEST_STATUS = 20
MOST_ITEMS = 100
FACTS_BYTES = 16 * 1024
NUMBERS_BYTES = 8 * 1024

LARGEST_NUMBER = 1e30
SMALLEST_NUMBER = 1e-30
"""Beyond these no sum, square or share of numbers may leave the range of a double: PostgreSQL would refuse it."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
V = TypeVar("V", str, float)

_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def cleaned(observation: Observation) -> Observation:
    """The same, so that its event stays far below 48 KiB and PostgreSQL takes it; cleaned again it stays as it is.

    Control characters, but tab and line ends, and lone surrogates are replaced; what is too long ends in "…"; numbers
    that are none are left out, as are names beyond what there is room for.
    """
    return replace(
        observation,
        failure=_text(observation.failure, LONGEST_FAILURE) if observation.failure is not None else None,
        detail=_text(observation.detail, LONGEST_DETAIL),
        phases=_bounded(_numbers(observation.phases), NUMBERS_BYTES),
        rejection=observation.rejection if _is_rejection(observation.rejection) else None,
        status=_text(observation.status, LONGEST_STATUS) if observation.status is not None else None,
        measures=_bounded(_numbers(observation.measures), NUMBERS_BYTES),
        facts=_bounded(_facts(observation.facts), FACTS_BYTES),
    )


def _text(text: str, longest: int) -> str:
    storable = _UNSTORABLE.sub(REPLACEMENT, text[: longest + 1])
    return storable if len(storable) <= longest else f"{storable[: longest - 1]}…"


def _facts(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((_text(name, LONGEST_NAME), _text(value, LONGEST_VALUE)) for name, value in facts.items())


def _numbers(numbers: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for name, number in numbers.items():
        # A whole number of Python's may be larger than any double; nan is neither more nor less than anything.
        if -LARGEST_NUMBER <= number <= LARGEST_NUMBER:
            yield _text(name, LONGEST_NAME), 0.0 if math.fabs(number) < SMALLEST_NUMBER else float(number)


def _bounded(items: Iterator[tuple[str, V]], most_bytes: int) -> dict[str, V]:
    kept: dict[str, V] = {}
    left = most_bytes
    for name, value in items:
        size = len(json.dumps({name: value}, ensure_ascii=False).encode())
        if size <= left and len(kept) < MOST_ITEMS:
            kept[name] = value
            left -= size
    return kept


def _is_rejection(rejection: tuple[int, int, int] | None) -> bool:
    """Each is one byte of an A-ASSOCIATE-RJ (PS3.8 §9.3.4)."""
    return rejection is not None and all(0 <= part <= 255 for part in rejection)
