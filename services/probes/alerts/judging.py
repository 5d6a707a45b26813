"""Judges a batch of results: what each shows of its checks, and how that moves the alert machine. Pure."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.probes.alerts import flapping
from services.probes.alerts.domain import (
    OK,
    UNKNOWN_AFTER,
    AlertState,
    Change,
    Changes,
    Policy,
    Seen,
    Sign,
    judge,
    miss,
)
from services.probes.alerts.limits import Limits
from services.probes.alerts.measures import TELLING, Reading, level_by, readings_of, seen_of, summary_of
from services.probes.alerts.records import About
from services.probes.alerts.upstream import (
    Hold,
    Reaching,
    Upper,
    hold_by,
    is_unanswered,
    uppers_of,
    vantage_id,
)
from services.probes.baselines.domain import Baseline, Key, Samples, learn, limits_from, slot_of, usual_at
from services.probes.history.domain import Result
from services.probes.kinds.domain import Nature
from services.probes.runs.domain import Probe
from services.probes.windows.domain import Window, is_held_back
from shared.events.alerts import Severity

AGES = ((1440, "days"), (60, "hours"), (1, "minutes"))
"""What an age is told in: its size in minutes."""

SIGNS: Mapping[str, Sign] = {"ok": "good", "failed": "bad", "degraded": "alive"}
"""What an outcome shows of the target; any other says nothing about it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A result that is to be judged, with the flow and the trace that it belongs to.

    One that ``is_past`` is late, and later ones of its probe are known, or come next: by itself it raises nothing.
    """

    probe: Probe
    result: Result
    correlation_id: str | None = None
    traceparent: str | None = None
    is_past: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """What one result did to one check. ``upper_name`` is what it is held back by, as people call it.

    ``is_unanswered``: our own network could be the reason of what was seen.
    """

    judged: Judged
    measure: str
    state: AlertState
    changes: Changes
    summary: str
    upper_name: str | None = None
    is_unanswered: bool = False

    @property
    def key(self) -> Key:
        """The check."""
        return (self.judged.probe.id, self.measure)

    @property
    def is_raised_unanswered(self) -> bool:
        """Whether it raises an alert for which our own network could be the reason."""
        return self.is_unanswered and any(change.what == "raised" for change in self.changes)


@dataclass(frozen=True)
class Knowledge:
    """What is known when a batch is judged.

    ``cut_off`` are vantages that reach nothing. ``names`` are those of assets and vantages, by their ids.
    """

    policy: Policy
    windows: Sequence[Window]
    kinds: Mapping[str, Nature]
    states: Mapping[Key, AlertState] = field(default_factory=dict)
    uppers: Mapping[str, Mapping[str, Reaching]] = field(default_factory=dict)
    baselines: Mapping[Key, Baseline] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    cut_off: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)

    def nature_of(self, probe: Probe) -> Nature:
        """What is known of a probe's kind; nothing of one that this version does not have."""
        return self.kinds.get(probe.kind, Nature())

    def is_unanswered(self, judged: Judged) -> bool:
        """Whether our own network can be the reason of a failure."""
        return is_unanswered(judged.result.failure, self.nature_of(judged.probe).is_connectionless)


@dataclass(frozen=True)
class Verdict:
    """What a batch comes to: moves in their order, and by measure the slots of baselines that have learned."""

    moves: tuple[Move, ...]
    learned: Mapping[Key, Mapping[int, Samples]]


class Judge:
    """Judges results one after the other, each by what those before it have led to."""

    def __init__(self, known: Knowledge, new_id: Callable[[], str]) -> None:
        self._known = known
        self._new_id = new_id
        self._states = dict(known.states)
        self._measures: dict[str, set[str]] = defaultdict(set)
        for probe_id, measure in known.states:
            if measure:
                self._measures[probe_id].add(measure)
        self._uppers = defaultdict(dict, {asset: dict(checks) for asset, checks in known.uppers.items()})
        self._learned: dict[Key, dict[int, Samples]] = {}

    def judge_all(self, batch: Sequence[Judged]) -> Verdict:
        """The verdict on a batch."""
        moves = tuple(move for judged in batch for move in self._judge(judged))
        return Verdict(moves, self._learned)

    def _judge(self, judged: Judged) -> Iterator[Move]:
        if (sign := SIGNS.get(judged.result.outcome)) is None:
            return
        main = self._states.get((judged.probe.id, ""), OK)
        if sign == "bad" or main != OK:
            yield self._move(judged, "", main, self._seen(judged, sign), judged.result.detail)
        told = tuple(readings_in(judged, self._known.kinds)) if judged.result.outcome in TELLING else ()
        yield from self._judge_readings(judged, told)
        yield from self._miss(judged, self._measures[judged.probe.id] - {reading.measure for reading in told})

    def _miss(self, judged: Judged, missing: Collection[str]) -> Iterator[Move]:
        """What a result does to measures that it does not tell."""
        for measure in sorted(missing):
            state = self._states.get((judged.probe.id, measure), OK)
            patience = (UNKNOWN_AFTER - 1) * judged.probe.interval
            moved, changes = miss(state, judged.result.started_at, patience)
            if moved != state:
                self._states[judged.probe.id, measure] = moved
                yield Move(judged, measure, moved, changes, f"{measure} was not told for {UNKNOWN_AFTER} intervals.")

    def _judge_readings(self, judged: Judged, told: Sequence[Reading]) -> Iterator[Move]:
        for reading in told:
            key = (judged.probe.id, reading.measure)
            state = self._states.get(key, OK)
            learned = self._usual_limits(key, judged, reading)
            level = level_by(reading, learned, state)
            if level == "clear" and state.phase == "ok":
                self._learn(key, judged, reading)
            if level != "clear" or state != OK:
                seen = seen_of(level, judged.result.started_at, self._new_id(), self._is_held_back(judged))
                seen = replace(seen, is_past=judged.is_past)
                yield self._move(judged, reading.measure, state, seen, summary_of(reading, learned))

    def _move(self, judged: Judged, measure: str, state: AlertState, seen: Seen, summary: str) -> Move:
        moved, changes = judge(state, seen, self._known.policy)
        upper = moved.suppressed_by
        upper_name = self._known.names.get(upper, upper) if upper else None
        unanswered = not measure and self._known.is_unanswered(judged)
        move = Move(judged, measure, moved, changes, summary, upper_name, unanswered)
        self._states[move.key] = moved
        if measure:
            self._measures[judged.probe.id].add(measure)
        if not measure:
            self._note_reach(judged.probe, moved)
        return move

    def _note_reach(self, probe: Probe, moved: AlertState) -> None:
        """Where the probe stands, for what lies behind its target, if it is who made it, or its kind, that says so."""
        nature = self._known.nature_of(probe)
        if nature.asks_for_reach if probe.reachability is None else probe.reachability:
            reaching = Reaching(moved, nature.is_connectionless, probe.reachability is True)
            self._uppers[probe.subject][probe.id] = reaching

    def _seen(self, judged: Judged, sign: Sign) -> Seen:
        result = judged.result
        hold = self._hold(judged) if sign == "bad" else Hold()
        return Seen(
            sign,
            result.started_at,
            self._new_id(),
            severity=judged.probe.severity or severity_of(result.failure, self._known.nature_of(judged.probe)),
            failure=result.failure,
            is_held_back=self._is_held_back(judged),
            suppressed_by=hold.suppressed_by,
            is_waiting=hold.is_waiting,
            is_past=judged.is_past,
        )

    def _is_held_back(self, judged: Judged) -> bool:
        targets = {judged.probe.subject, judged.probe.system_id}
        return is_held_back(self._known.windows, targets, judged.result.started_at, self._known.policy.grace)

    def _hold(self, judged: Judged) -> Hold:
        if judged.result.vantage in self._known.cut_off and self._known.is_unanswered(judged):
            return Hold(vantage_id(judged.result.vantage))
        above = uppers_above(judged.probe, self._known.policy)
        return hold_by(Upper(asset, tuple(self._uppers.get(asset, {}).values())) for asset in above)

    def _usual_limits(self, key: Key, judged: Judged, reading: Reading) -> Limits | None:
        if not reading.limits.baseline:
            return None
        usual = usual_at(self._baseline(key), self._slot(judged))
        return limits_from(usual, reading.worse, reading.unit, reading.limits.clear_ratio) if usual else None

    def _learn(self, key: Key, judged: Judged, reading: Reading) -> None:
        """Only what is well is learned: an outage must not become usual."""
        if reading.limits.baseline and judged.result.outcome == "ok":
            at = judged.result.started_at
            self._learned.setdefault(key, {}).update(learn(self._baseline(key), self._slot(judged), reading.value, at))

    def _baseline(self, key: Key) -> Baseline:
        return {**self._known.baselines.get(key, {}), **self._learned.get(key, {})}

    def _slot(self, judged: Judged) -> int:
        return slot_of(judged.result.started_at, self._known.zones.get(judged.probe.site_id))


def judge_batch(batch: Sequence[Judged], known: Knowledge, new_id: Callable[[], str]) -> Verdict:
    """What the results of a batch come to, in their order; ``new_id`` gives the ids of alerts."""
    return Judge(known, new_id).judge_all(batch)


def uppers_above(probe: Probe, policy: Policy) -> frozenset[str]:
    """The assets one hop up from a probe's target; our own network is that of the probes that we make ourselves."""
    return uppers_of(probe.subject, probe.depends_on, policy.own_network if probe.vantage is None else ())


def assets_above(batch: Sequence[Judged], policy: Policy) -> frozenset[str]:
    """The assets one hop up from what failed."""
    failed = (judged.probe for judged in batch if judged.result.outcome == "failed")
    return frozenset(asset for probe in failed for asset in uppers_above(probe, policy))


def judged_by_usual(batch: Sequence[Judged], kinds: Mapping[str, Nature]) -> list[tuple[Key, Judged]]:
    """The measures in a batch that are judged by what is usual, with the result that tells them."""
    return [
        ((one.probe.id, reading.measure), one)
        for one in batch
        if one.result.outcome in TELLING
        for reading in readings_in(one, kinds)
        if reading.limits.baseline
    ]


def readings_in(judged: Judged, kinds: Mapping[str, Nature]) -> Iterator[Reading]:
    """The numbers of a result that have limits."""
    probe, result = judged.probe, judged.result
    return readings_of(result.measures, result.phases, probe.limits, kinds.get(probe.kind, Nature()).measures)


def severity_of(failure: str | None, nature: Nature) -> Severity:
    """How bad a failure is: a fault of configuration stops one connection, anything else may be an outage."""
    return "warning" if failure in nature.faults_of_configuration else "critical"


def summary_of_change(move: Move, change: Change, policy: Policy, now: datetime) -> str:
    """What a transition tells a person who hears of it ``now``, and how late that is where it is late."""
    return _words_of_change(move, change) + _lateness(move.judged, policy, now)


def _lateness(judged: Judged, policy: Policy, now: datetime) -> str:
    delay = now - judged.result.started_at
    if not policy.is_late(delay, judged.probe.timeout):
        return ""
    minutes = delay // timedelta(minutes=1)
    age = next(f"{minutes // size} {unit}" for size, unit in AGES if minutes >= 2 * size or size == 1)
    return f" This comes late: it was seen {age} ago."


def _words_of_change(move: Move, change: Change) -> str:
    if change.what in ("flapping", "raised") and change.after == "flapping":
        differing = flapping.changes(move.state.recent)
        return f"It comes and goes: {differing} of its last {flapping.RESULTS - 1} results differ from the one before."
    if change.what == "resolved":
        return f"The check {check_name(move.judged.probe, move.measure)} succeeds again."
    if change.what == "suppressed":
        return f"{move.upper_name} is down; nothing is raised for what lies behind it."
    return move.summary


def about_probe(probe: Probe, measure: str = "") -> About:
    """A probe, or one of its measures, as alerts tell of it."""
    name = check_name(probe, measure)
    return About(probe.id, measure, name, probe.subject, probe.name, probe.site_id, probe.system_id)


def check_name(probe: Probe, measure: str) -> str:
    """What an alert calls the check: of a measure, with its name behind that of the check that it belongs to."""
    return f"{probe.check}:{measure}" if measure else probe.check
