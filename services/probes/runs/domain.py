"""Rules of runs: due = k·interval + hash(probe id) mod interval, so that probes neither drift nor come all at once."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from services.probes.alerts.limits import Limits
from services.probes.kinds.domain import Observation
from shared.events.alerts import Severity

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
LARGEST_SKEW = timedelta(seconds=60)
"""How far an agent's clock may be from ours."""


@dataclass(frozen=True)
class Cadence:
    """How far apart a probe's runs are, how soon the next comes while its alert is undecided, how long one may take."""

    interval: timedelta
    retry_interval: timedelta
    timeout: timedelta


@dataclass(frozen=True)
class Probe:
    """What is asked of which target, and how often. ``settings`` are those of its kind.

    With a ``vantage`` it is left to the agent of that name. ``depends_on`` are the assets one hop up, ``limits`` are by
    measure or phase. ``reachability`` is whether its failure means that the target is out of reach, where that is not
    left to its kind. ``check_name`` is what a person called it; a probe that a node gets by itself has none.
    """

    id: str
    kind: str
    subject: str
    site_id: str
    system_id: str | None
    name: str
    settings: Mapping[str, Any]
    interval: timedelta
    retry_interval: timedelta
    timeout: timedelta
    vantage: str | None = None
    depends_on: tuple[str, ...] = ()
    limits: Mapping[str, Limits] = field(default_factory=dict)
    severity: Severity | None = None
    reachability: bool | None = None
    is_heavy: bool = False
    check_name: str | None = None

    @property
    def family(self) -> str:
        """The kinds of which a target is asked one at a time, such as all that speak DICOM."""
        return self.kind.partition("-")[0]

    @property
    def check(self) -> str:
        """What its alerts call it; no other probe of the subject is called so."""
        return self.check_name or self.kind


@dataclass(frozen=True)
class Due:
    """A probe whose time has come, or comes in a moment: ``due_at``."""

    probe: Probe
    due_at: datetime


@dataclass(frozen=True)
class Run:
    """One run of a probe; (probe, due_at) is its key. ``lease`` is the right to store its result."""

    probe: Probe
    due_at: datetime
    started_at: datetime
    lease: str = ""

    @property
    def lag(self) -> timedelta:
        """How late it started."""
        return max(timedelta(0), self.started_at - self.due_at)


@dataclass(frozen=True)
class Finished:
    """A run with what it saw. Where it ``is_overtaken``, what was seen after it is known, or comes next."""

    run: Run
    observation: Observation
    is_overtaken: bool = False


@dataclass(frozen=True)
class Ended:
    """What a run leaves to its probe: the result that is its last now, and when it is due again."""

    probe: Probe
    due_at: datetime
    result_id: str
    next_due: datetime
    is_undecided: bool


@dataclass(frozen=True)
class Known:
    """A probe and the due time of its last run."""

    probe: Probe
    last_due: datetime | None


class Brought(Protocol):
    """What an agent saw in one run."""

    @property
    def probe_id(self) -> str:
        """The probe."""

    @property
    def due_at(self) -> datetime:
        """With the probe, the run's key."""

    @property
    def started_at(self) -> datetime:
        """By the agent's clock."""

    @property
    def observation(self) -> Observation:
        """What it saw."""


Reception = Literal["taken", "wanted soon", "unknown", "repeated", "from the future"]
"""What becomes of a result that an agent brings; ``wanted soon``: it is taken, and the next one decides an alert."""


@dataclass(frozen=True)
class Turn:
    """The due time that is run now, and how many before it are left out."""

    due_at: datetime
    left_out: int


def probe_id_of(kind: str, subject: str) -> str:
    """The id of the probe of that kind on that target: the same in every replica and after every restart."""
    return f"{kind}:{subject}"


def slot_until(probe_id: str, interval: timedelta, now: datetime) -> datetime:
    """The probe's last regular due time at or before ``now``."""
    length = interval // TICK
    phase = int.from_bytes(hashlib.sha256(probe_id.encode()).digest()[:8]) % length
    elapsed = (now - EPOCH) // TICK - phase
    return EPOCH + (elapsed // length * length + phase) * TICK


def slot_after(probe_id: str, interval: timedelta, now: datetime) -> datetime:
    """The probe's first regular due time later than ``now``."""
    return slot_until(probe_id, interval, now) + interval


def next_due(probe: Probe, due_at: datetime, is_undecided: bool) -> datetime:
    """When the probe is due after ``due_at``: at its next regular time, or earlier while its alert is undecided."""
    regular = slot_after(probe.id, probe.interval, due_at)
    return min(regular, due_at + probe.retry_interval) if is_undecided else regular


def take_turn(probe: Probe, due_at: datetime, now: datetime) -> Turn:
    """What to run of a probe that is due: ``due_at`` itself, or, a whole interval late, only the last regular time."""
    if now - due_at < probe.interval:
        return Turn(due_at, 0)
    slot = slot_until(probe.id, probe.interval, now)
    return Turn(slot, math.ceil((slot - due_at) / probe.interval))


def receive(brought: Iterable[Brought], last: Mapping[str, datetime], now: datetime) -> list[Reception]:
    """What becomes of results, in their order, where the last runs of the known probes were due at ``last``.

    What a clock that was ahead has dated into the future is never taken: all that is true would be a repeat until then.
    """
    latest = dict(last)
    receptions: list[Reception] = []
    for one in brought:
        if one.probe_id not in latest:
            receptions.append("unknown")
        elif max(one.due_at, one.started_at) > now + LARGEST_SKEW:
            receptions.append("from the future")
        elif one.due_at <= latest[one.probe_id]:
            receptions.append("repeated")
        else:
            receptions.append("taken")
            latest[one.probe_id] = one.due_at
    return receptions


def overtaken(brought: Sequence[Brought], is_behind: bool) -> list[bool]:
    """Of each result, whether a later one of its probe comes with it, or after it from an agent that ``is_behind``."""
    last = {one.probe_id: place for place, one in enumerate(brought)}
    return [is_behind or place < last[one.probe_id] for place, one in enumerate(brought)]


def left_out(count: int) -> Observation:
    """What is told of runs that were not made because their time had passed."""
    runs = "1 run was" if count == 1 else f"{count} runs were"
    return Observation("skipped", "overrun", f"{runs} left out: the probes could not be made in time.")
