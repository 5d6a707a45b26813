"""Replays recorded series of results and compares every transition with the recorded one (see series/README.md)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from services.probes.alerts.domain import OK, AlertState, Change, Changes, lose, release
from services.probes.alerts.judging import Knowledge, judge_batch
from services.probes.alerts.limits import Limits
from services.probes.alerts.upstream import Reaching
from services.probes.baselines.domain import Key
from services.probes.kinds import NATURES
from services.probes.runs.domain import Probe
from services.probes.windows.domain import Window
from shared.events.alerts import Transition
from shared.events.probes import Outcome
from tests.unit.probes.alerts.checks import NOON, POLICY, Ids, judged, probe

SERIES = sorted((Path(__file__).parent / "series").glob("*.txt"))


@dataclass
class Replay:
    """Where every check stands while a series is replayed."""

    probes: dict[str, Probe] = field(
        default_factory=lambda: {"pacs": probe("pacs"), "host": probe("host", system_id=None)}
    )
    windows: list[Window] = field(default_factory=list)
    states: dict[Key, AlertState] = field(default_factory=dict)
    ids: Ids = field(default_factory=Ids)

    def step(self, line: str) -> str:
        """Does what a line says and returns the transitions in the words of the format."""
        words = line.split()
        if words[0] in ("window", "limits", "depends"):
            getattr(self, f"_{words[0]}")(*words[1:])
            return ""
        at, subject, what, *measures = words
        key = (self.probes[subject].id, "")
        if what in ("silence", "release"):
            turn = lose if what == "silence" else release
            self.states[key], changes = turn(self.states.get(key, OK))
            return " ".join(_written(changes, "", self.states[key]))
        return " ".join(self._judge(subject, _time(at), what, measures))

    def _judge(self, subject: str, at: datetime, what: str, measures: list[str]) -> Iterator[str]:
        outcome, _, failure = what.partition(":")
        values = {name: float(value) for name, _, value in (measure.partition("=") for measure in measures)}
        one = judged(self.probes[subject], cast(Outcome, outcome), at, failure or None, values)
        uppers: dict[str, dict[str, Reaching]] = {}
        for (probe_id, measure), state in self.states.items():
            if not measure:
                uppers.setdefault(probe_id.removeprefix("echo:"), {})[probe_id] = Reaching(state)
        known = Knowledge(POLICY, self.windows, NATURES, states=self.states, uppers=uppers)
        for move in judge_batch([one], known, self.ids).moves:
            self.states[move.key] = move.state
            yield from _written(move.changes, move.measure, move.state)

    def _window(self, since: str, until: str) -> None:
        self.windows.append(Window("w", frozenset({"system"}), _time(since), _time(until)))

    def _limits(self, name: str, warning: str, critical: str) -> None:
        limits = {name: Limits(warning=float(warning), critical=float(critical))}
        self.probes["pacs"] = replace(self.probes["pacs"], limits=limits)

    def _depends(self, asset: str) -> None:
        self.probes["pacs"] = replace(self.probes["pacs"], depends_on=(asset,))


def _time(text: str) -> datetime:
    hour, minute, *second = (int(part) for part in text.split(":"))
    return NOON.replace(hour=hour, minute=minute, second=second[0] if second else 0)


def _written(changes: Changes, measure: str, state: AlertState) -> Iterator[str]:
    for change in changes:
        words = [change.what, *(_of_raise(change, state) if change.what == "raised" else ())]
        yield ":".join(words) + (f"@{measure}" if measure else "")


def _of_raise(change: Change, state: AlertState) -> Iterator[str]:
    yield str(state.severity)
    if change.persisted_past_window:
        yield "persisted"
    if change.after == "flapping":
        yield "flapping"


def replayed(lines: list[str]) -> list[str]:
    """The lines with the transitions that came of them."""
    replay = Replay()
    told = []
    for line in lines:
        said = line.partition("->")[0].strip()
        changes = replay.step(said)
        told.append(f"{said} -> {changes}" if changes else said)
    return told


def lines_of(path: Path) -> list[str]:
    """A series without its claim."""
    return [line.strip() for line in path.read_text().splitlines()[1:] if line.strip()]


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_recorded_series_leads_to_the_recorded_transitions(path: Path) -> None:
    """Each file's first line is the claim."""
    assert replayed(lines_of(path)) == lines_of(path)


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_the_same_series_leads_to_the_same_transitions(path: Path) -> None:
    """No clock, no chance."""
    assert replayed(lines_of(path)) == replayed(lines_of(path))


def test_every_transition_of_the_machine_is_recorded_somewhere() -> None:
    """But for those of acknowledgements, which no result makes."""
    recorded: set[Any] = {
        word.partition("@")[0].partition(":")[0]
        for path in SERIES
        for line in lines_of(path)
        for word in line.partition("->")[2].split()
    }
    made = set(get_args(Transition))
    assert recorded == made - {"acknowledged", "unacknowledged"}
