"""A figure beside its peer and its floor, and how figures are shown."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What was measured. ``floor`` is the least figure to reach or, with ``at_most``, the greatest one allowed."""

    name: str
    figure: float
    unit: str
    peer: str
    peer_figure: float
    floor: float
    at_most: bool = False

    @property
    def ratio(self) -> float:
        """The figure as a multiple of its peer's."""
        return self.figure / self.peer_figure

    @property
    def misses(self) -> bool:
        """Whether the figure is on the wrong side of its floor."""
        return self.figure > self.floor if self.at_most else self.figure < self.floor

    def as_json(self) -> dict[str, str | float]:
        """The figure as `latest.json` tells it."""
        return {
            "name": self.name,
            "figure": round(self.figure, 3),
            "unit": self.unit,
            "peer": self.peer,
            "peer_figure": round(self.peer_figure, 3),
            "ratio": round(self.ratio, 4),
            "floor": self.floor,
        }


def within(name: str, figure: float, unit: str, limit: float) -> Figure:
    """A figure whose peer is the limit that it must keep."""
    return Figure(name, figure, unit, "the limit", limit, limit, at_most=True)


def table(figures: Sequence[Figure]) -> str:
    """The figures in aligned columns; one that misses its floor is marked."""
    rows = [("", "figure", "unit", "floor", "peer", "peer's", "ratio"), *map(_row, figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        ("! " if figure.misses else "  ") + figure.name,
        _number(figure.figure),
        figure.unit,
        ("≤ " if figure.at_most else "≥ ") + _number(figure.floor),
        figure.peer,
        _number(figure.peer_figure),
        f"{figure.ratio:.2f}",
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    numbers = {1, 3, 5, 6}
    cells = [
        text.rjust(width) if n in numbers else text.ljust(width)
        for n, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"
