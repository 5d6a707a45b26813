"""Which of two versions is the later one, as vendors write them: ``v5.2``, ``12.3 SP1``, ``4.0.0-rc.2``, ``2024a``.

Tolerant: whatever the text, it has a place in one total order. Numbers count as numbers, a missing part as zero; what
announces a release (alpha, beta, rc) comes before it, what mends one (SP, patch, a letter) behind it and before the
next number. Build metadata behind ``+`` says nothing.
"""

import re
from collections.abc import Iterator

ANNOUNCING = {
    **dict.fromkeys(("dev", "snapshot", "nightly"), 0),
    **dict.fromkeys(("a", "alpha"), 1),
    **dict.fromkeys(("b", "beta", "m", "milestone"), 2),
    **dict.fromkeys(("c", "rc", "pre", "preview", "candidate"), 3),
}
LETTERS = frozenset("abcm")
"""What announces a release only with a number behind it: 1.0b2 comes before 1.0, and 1.0b behind it."""

_PREFIX = re.compile(r"(version|ver|v|release|rel)[\s.:]*(?=\d)")
_PART = re.compile(r"[0-9]+|[^\W\d_]+")
_BEFORE, _END, _BEHIND, _NUMBER = range(4)

Part = tuple[int, int, str]
Key = tuple[Part, ...]


def version_key(text: str) -> Key:
    """What versions are ordered by; those of equal keys are the same version."""
    plain = text.strip().casefold().partition("+")[0]
    prefix = _PREFIX.match(plain)
    parts = _PART.findall(plain[prefix.end() :] if prefix else plain)
    return (*_without_zeros(list(_ranked(parts))), (_END, 0, ""))


def compare(one: str, other: str) -> int:
    """Below zero when ``one`` is the earlier version, zero when both are the same, above when it is the later."""
    left, right = version_key(one), version_key(other)
    return (left > right) - (left < right)


def _ranked(parts: list[str]) -> Iterator[Part]:
    for part, following in zip(parts, [*parts[1:], ""], strict=False):
        if part.isdecimal():
            yield (_NUMBER, int(part), "")
        elif part in ANNOUNCING and (part not in LETTERS or following.isdecimal()):
            yield (_BEFORE, ANNOUNCING[part], "")
        else:
            yield (_BEHIND, 0, part)


def _without_zeros(parts: list[Part]) -> list[Part]:
    """A zero counts only where another number stands behind it: 1.0 is 1, and 1.0-rc1 is 1-rc1."""
    kept: list[Part] = []
    for part in reversed(parts):
        is_idle = part == (_NUMBER, 0, "") and (not kept or kept[-1][0] != _NUMBER)
        if not is_idle:
            kept.append(part)
    return kept[::-1]
