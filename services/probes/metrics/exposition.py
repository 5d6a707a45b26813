"""What each probe saw last, in Prometheus' text format (version 0.0.4).

Words that have an order are numbers, so that a probe has one series of each metric and a dashboard names the values.
What tells little that a query needs is on ``steward_probe_info`` alone; join it by ``probe``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from services.probes.agents.domain import Agent
from shared.events.alerts import AlertPhase
from shared.events.probes import Outcome

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_NUMBERS = 32
"""How many phases, and how many measures, of a probe are told: a plugin may think of any number."""

LINES_AT_ONCE = 2000
OUTCOMES: Mapping[Outcome, int] = {"ok": 0, "degraded": 1, "failed": 2, "probe_error": 3, "skipped": 4}
PHASES: Mapping[AlertPhase, int] = {"ok": 0, "pending": 1, "firing": 2, "recovering": 3, "flapping": 4, "unknown": 5}

Line = tuple[str, float]
"""The labels that come behind the probe's own, and the value."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A probe, what it saw last, and where its alerts stand."""

    probe_id: str
    kind: str
    site_id: str
    name: str
    subject: str
    system_id: str | None
    interval_seconds: float
    outcome: Outcome | None
    due_at: datetime | None
    in_window: bool
    phases: Mapping[str, float]
    measures: Mapping[str, float]
    alert_phase: AlertPhase
    open_alerts: int


@dataclass(frozen=True)
class Family:
    """One metric: its name, what it means, and its lines for a probe."""

    name: str
    help: str
    lines: Callable[[Standing], Iterator[Line]]


def _numbered(names: Mapping[Outcome, int] | Mapping[AlertPhase, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in names.items())


def _info(probe: Standing) -> Iterator[Line]:
    yield f',subject="{escaped(probe.subject)}",system="{escaped(probe.system_id or "")}"', 1


def _interval(probe: Standing) -> Iterator[Line]:
    yield "", probe.interval_seconds


def _outcome(probe: Standing) -> Iterator[Line]:
    if probe.outcome is not None:
        yield "", OUTCOMES[probe.outcome]


def _last_run(probe: Standing) -> Iterator[Line]:
    if probe.due_at is not None:
        yield "", probe.due_at.timestamp()


def _in_window(probe: Standing) -> Iterator[Line]:
    if probe.outcome is not None:
        yield "", probe.in_window


def _phases(probe: Standing) -> Iterator[Line]:
    for name, ms in islice(sorted(probe.phases.items()), MOST_NUMBERS):
        yield f',phase="{escaped(name)}"', ms / 1000


def _measures(probe: Standing) -> Iterator[Line]:
    for name, value in islice(sorted(probe.measures.items()), MOST_NUMBERS):
        yield f',measure="{escaped(name)}"', value


def _alert_state(probe: Standing) -> Iterator[Line]:
    yield "", PHASES[probe.alert_phase]


def _open_alerts(probe: Standing) -> Iterator[Line]:
    yield "", probe.open_alerts


FAMILIES = (
    Family("steward_probe_info", "The asset and the system that the probe is about", _info),
    Family("steward_probe_interval_seconds", "From one regular run to the next", _interval),
    Family("steward_probe_outcome", f"How the last run ended: {_numbered(OUTCOMES)}", _outcome),
    Family("steward_probe_last_run_timestamp_seconds", "When the last run was due", _last_run),
    Family("steward_probe_in_window", "Whether it was in a maintenance window", _in_window),
    Family("steward_probe_phase_seconds", "How long each phase of the last run took", _phases),
    Family(
        "steward_probe_measure", "What the last run measured; the name ends in the unit where it has one", _measures
    ),
    Family("steward_probe_alert_state", f"Where the probe's alert stands: {_numbered(PHASES)}", _alert_state),
    Family("steward_probe_alerts_open", "Open alerts of the probe, those about its measures too", _open_alerts),
)


AGENT_METRICS: Mapping[str, tuple[str, Callable[[Agent], float | None]]] = {
    "steward_agent_last_seen_timestamp_seconds": (
        "When the agent was last heard of",
        lambda agent: agent.last_seen.timestamp() if agent.last_seen else None,
    ),
    "steward_agent_results_waiting": ("Results that it still has to bring", lambda agent: agent.waiting),
    "steward_agent_results_lost": ("Results that it had to drop", lambda agent: agent.lost),
    "steward_agent_results_quarantined": (
        "Results that were not taken, which it has put aside",
        lambda agent: agent.quarantined,
    ),
}


def exposition_of_agents(agents: Sequence[Agent]) -> Iterator[str]:
    """The text about the agents that were heard of."""
    for name, (meaning, value_of) in AGENT_METRICS.items():
        yield f"# HELP {name} {meaning}\n# TYPE {name} gauge\n"
        for agent in agents:
            if (value := value_of(agent)) is not None:
                yield f'{name}{{vantage="{escaped(agent.name)}"}} {float(value)!r}\n'


def exposition(probes: Sequence[Standing]) -> Iterator[str]:
    """The text, in pieces: the format wants all lines of a metric together."""
    labels = [labels_of(probe) for probe in probes]
    for family in FAMILIES:
        lines = [f"# HELP {family.name} {family.help}\n# TYPE {family.name} gauge\n"]
        for probe, own in zip(probes, labels, strict=True):
            lines += [f"{family.name}{{{own}{more}}} {float(value)!r}\n" for more, value in family.lines(probe)]
            if len(lines) >= LINES_AT_ONCE:
                yield "".join(lines)
                lines = []
        yield "".join(lines)


def labels_of(probe: Standing) -> str:
    """The labels that each of a probe's lines has."""
    own = {"probe": probe.probe_id, "kind": probe.kind, "site": probe.site_id, "asset": probe.name}
    return ",".join(f'{name}="{escaped(value)}"' for name, value in own.items())


def escaped(value: str) -> str:
    """A label's value as the format has it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
