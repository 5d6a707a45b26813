"""What a monitoring plugin prints: a line for people, then its numbers (the guidelines of Nagios and its heirs)."""

import re
from collections.abc import Iterator

LONGEST_NAME = 60
MOST_MEASURES = 64
_ITEM = re.compile(r"(?:'((?:[^']|''){1,200})'|([^\s=']{1,200}))=([-+0-9.eE]{1,40})([^\s;]{0,8})(?:;\S*)?(?=\s|$)")
_UNITS: dict[str, tuple[str, float]] = {
    "s": ("_seconds", 1),
    "ms": ("_seconds", 1e-3),
    "us": ("_seconds", 1e-6),
    "ns": ("_seconds", 1e-9),
    "%": ("_ratio", 1e-2),
    "b": ("_bytes", 1),
    "kb": ("_bytes", 1024),
    "mb": ("_bytes", 1024**2),
    "gb": ("_bytes", 1024**3),
    "tb": ("_bytes", 1024**4),
    "kib": ("_bytes", 1024),
    "mib": ("_bytes", 1024**2),
    "gib": ("_bytes", 1024**3),
    "tib": ("_bytes", 1024**4),
    "c": ("_count", 1),
}


def first_line(output: str) -> str:
    """What the plugin says to people."""
    lines = output.strip().splitlines()
    return lines[0].partition("|")[0].strip() if lines else ""


def measures_of(output: str) -> dict[str, float]:
    """The plugin's numbers in base units, each under its label and its unit: `rta=0.5ms` is `rta_seconds`, 0.0005.

    Labels become lower-case words; percentages become ratios. What can't be read is passed over.
    """
    return dict(list(_numbers(output))[:MOST_MEASURES])


def _numbers(output: str) -> Iterator[tuple[str, float]]:
    for quoted, plain, digits, unit in _ITEM.findall(_perfdata(output)):
        try:
            number = float(digits)
        except ValueError:
            continue
        suffix, factor = _UNITS.get(unit.lower(), ("", 1.0))
        if number - number == 0:
            yield _name(quoted.replace("''", "'") or plain) + suffix, round(number * factor, 9)


def _perfdata(output: str) -> str:
    """What stands behind the bar of the first line, and behind the bar of the long text that may follow."""
    first, _, rest = output.strip().partition("\n")
    return f"{first.partition('|')[2]} {rest.partition('|')[2]}"


def _name(label: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
    return words[:LONGEST_NAME] or ("root" if label == "/" else "value")
