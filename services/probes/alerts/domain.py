"""The alert machine: ok → pending → firing → recovering → ok, beside it flapping and unknown.

What is seen of a check moves it:

- ``bad`` counts as a failure, ``good`` as a success; enough of them in a row raise or resolve the alert.
- ``alive`` shows that the target lives: it ends a streak of failures and never raises anything. It does not show
  that the target is well: it ends a streak of successes too, and never resolves anything.
- A result that says nothing about the target is never seen here.

Only raising can be kept back, never resolving: by a maintenance window, by something one hop up that is down, for a
moment by something one hop up about which nothing is decided yet, or because what was seen is past.

Results move it in the order of their due times and never by when they came.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from services.probes.alerts import flapping
from shared.events.alerts import AlertPhase, Severity, Transition

Sign = Literal["good", "bad", "alive"]

UNKNOWN_AFTER = 3
"""Intervals without a result after which a probe is unknown, and without its number a measure."""

PATIENCE_FACTOR = 2
"""How many times the failures that raise an alert it may at most wait for what lies one hop up."""


@dataclass(frozen=True)
class Policy:
    """How many failures in a row raise, how many successes resolve, and how long after a window nothing is raised.

    ``own_network`` are assets of our own, such as the gateway of the vantage: all that is probed lies behind them.
    What comes longer than ``longest_delay`` after its end is late, and told as such.
    """

    failures: int
    successes: int
    grace: timedelta
    own_network: tuple[str, ...] = ()
    longest_delay: timedelta = timedelta(minutes=10)

    def is_late(self, delay: timedelta, timeout: timedelta) -> bool:
        """Whether a result is that comes so long after its run began, which could take ``timeout``."""
        return delay > self.longest_delay + timeout


@dataclass(frozen=True, slots=True)
class Seen:
    """What one result shows of one check. ``alert_id`` is for the alert that it may raise.

    ``is_held_back``: a window is open; ``suppressed_by`` is down; ``is_waiting``: what lies one hop up is undecided;
    ``is_past``: it is late, and what was seen after it is known too, or comes next.
    """

    sign: Sign
    at: datetime
    alert_id: str
    severity: Severity = "critical"
    failure: str | None = None
    is_held_back: bool = False
    suppressed_by: str | None = None
    is_waiting: bool = False
    is_past: bool = False


@dataclass(frozen=True, slots=True)
class AlertState:
    """Where a check stands; as it is made it stands at "ok". While an alert is open, ``alert_id`` is its.

    ``since`` is the streak's first failure. ``is_held``: only a window kept it from firing. ``is_asked``: what kept it
    back is over and the target is asked anew. ``criticals`` counts the critical ones among the last failures in a row.
    ``missing_since`` is the first of the last results that did not tell this measure.
    """

    phase: AlertPhase = "ok"
    failures: int = 0
    successes: int = 0
    criticals: int = 0
    since: datetime | None = None
    alert_id: str | None = None
    severity: Severity | None = None
    failure: str | None = None
    is_held: bool = False
    suppressed_by: str | None = None
    is_asked: bool = False
    recent: int = 0
    missing_since: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether an alert was raised and not yet resolved."""
        return self.alert_id is not None

    def is_undecided(self, policy: Policy) -> bool:
        """Whether the next results decide: then they are wanted soon."""
        if self.phase == "pending":
            return not self.is_held and self.suppressed_by is None
        is_worsening = self.phase == "firing" and self.severity == "warning" and 0 < self.criticals < policy.failures
        return self.phase == "recovering" or is_worsening


OK = AlertState()


@dataclass(frozen=True, slots=True)
class Change:
    """One transition: what happened, between which phases, and to which alert, if one was open before or is after."""

    what: Transition
    before: AlertPhase
    after: AlertPhase
    alert_id: str | None = None
    persisted_past_window: bool = False


Changes = tuple[Change, ...]
Judgement = tuple[AlertState, Changes]


def judge(state: AlertState, seen: Seen, policy: Policy) -> Judgement:
    """The state after what was seen, and its transitions in their order.

    What is held back stays pending, is probed on, and is raised by the first failure after that.
    """
    heard, woken = _hear(state)
    noted = replace(heard, recent=_recent(heard, seen), missing_since=None)
    moved, changes = _judge_flapping(noted, seen) or _STEPS[seen.sign](noted, seen, policy)
    return moved, woken + changes


def lose(state: AlertState) -> Judgement:
    """Nothing was heard for too long. An alert that is open stays open."""
    lost = replace(state, phase="unknown", successes=0)
    return lost, (Change("unknown", state.phase, "unknown", state.alert_id),)


def miss(state: AlertState, at: datetime, patience: timedelta) -> Judgement:
    """A result at ``at`` that does not tell the measure; nothing comes of it until they have gone on for ``patience``.

    Then an alert that is open is unknown, as if nothing were heard; what is not open is forgotten.
    """
    if state.phase == "ok" or (state.phase == "unknown" and state.is_open):
        return state, ()
    since = state.missing_since or at
    if at - since < patience:
        return replace(state, missing_since=since), ()
    return lose(state) if state.is_open else _clear(state)


def release(state: AlertState) -> Judgement:
    """What kept the alert back is over: the target is asked anew. After a suppression its failures count anew too."""
    asked = replace(state, suppressed_by=None, is_asked=True)
    is_told = state.suppressed_by is not None
    return asked, ((Change("released", state.phase, state.phase),) if is_told else ())


def _hear(state: AlertState) -> Judgement:
    if state.phase != "unknown":
        return state, ()
    has_failed = state.failures > 0 or state.suppressed_by is not None
    phase: AlertPhase = "firing" if state.is_open else "pending" if has_failed else "ok"
    return replace(state, phase=phase), (Change("heard", "unknown", phase, state.alert_id),)


def _recent(state: AlertState, seen: Seen) -> int:
    """What is kept back says nothing about how steady the target is by itself."""
    is_bad = seen.sign == "bad"
    is_kept_back = seen.is_held_back or seen.suppressed_by is not None
    if is_kept_back and state.phase != "flapping":
        return flapping.steady(is_bad)
    return flapping.note(state.recent, is_bad)


def _judge_flapping(state: AlertState, seen: Seen) -> Judgement | None:
    """What flapping makes of it; None when it is no matter of flapping."""
    if state.phase == "flapping":
        return (
            _steady(state, seen) if flapping.is_calm(state.recent) and seen.sign != "alive" else _flap_on(state, seen)
        )
    is_kept_back = seen.is_held_back or seen.is_waiting or seen.is_past or seen.suppressed_by is not None
    return None if is_kept_back or not flapping.is_too_often(state.recent) else _begin_flapping(state, seen)


def _begin_flapping(state: AlertState, seen: Seen) -> Judgement:
    flaps = _flap_on(
        replace(state, phase="flapping", since=state.since or seen.at, is_held=False, suppressed_by=None), seen
    )[0]
    if state.is_open:
        return flaps, (Change("flapping", state.phase, "flapping", state.alert_id),)
    raised = replace(flaps, alert_id=seen.alert_id, severity=flaps.severity or "warning")
    return raised, (Change("raised", state.phase, "flapping", seen.alert_id),)


def _flap_on(state: AlertState, seen: Seen) -> Judgement:
    if seen.sign != "bad":
        return replace(state, successes=state.successes + 1), ()
    severity: Severity = "critical" if "critical" in (seen.severity, state.severity) else "warning"
    return replace(state, failures=state.failures + 1, successes=0, severity=severity, failure=seen.failure), ()


def _steady(state: AlertState, seen: Seen) -> Judgement:
    if seen.sign == "good":
        return _resolve(state)
    fires = replace(_flap_on(state, seen)[0], phase="firing", criticals=0)
    return fires, (Change("steadied", "flapping", "firing", state.alert_id),)


def _fail(state: AlertState, seen: Seen, policy: Policy) -> Judgement:
    failed = replace(
        state,
        failures=state.failures + 1,
        successes=0,
        criticals=state.criticals + 1 if seen.severity == "critical" else 0,
        since=state.since or seen.at,
        failure=seen.failure,
        is_asked=False,
    )
    if state.is_open:
        return _fire_on(failed, seen, policy)
    pending = replace(failed, phase="pending", severity=seen.severity)
    first = () if state.phase == "pending" else (Change("pending", state.phase, "pending"),)
    moved, changes = _suppress(pending, seen) if seen.suppressed_by else _pend(pending, seen, policy)
    return moved, first + changes


def _fire_on(state: AlertState, seen: Seen, policy: Policy) -> Judgement:
    """Goes on failing with its alert open."""
    relapsed = () if state.phase == "firing" else (Change("relapsed", state.phase, "firing", state.alert_id),)
    fires = replace(state, phase="firing")
    if state.severity == "warning" and state.criticals >= policy.failures:
        escalated = Change("escalated", "firing", "firing", state.alert_id)
        return replace(fires, severity="critical"), (*relapsed, escalated)
    if state.severity == "critical" and seen.severity == "warning":
        eased = Change("deescalated", "firing", "firing", state.alert_id)
        return replace(fires, severity="warning"), (*relapsed, eased)
    return fires, relapsed


def _suppress(state: AlertState, seen: Seen) -> Judgement:
    """Raises nothing of its own, and counts no failures: those of now are not its own."""
    told = () if state.suppressed_by else (Change("suppressed", "pending", "pending"),)
    return replace(state, failures=0, criticals=0, suppressed_by=seen.suppressed_by), told


def _pend(state: AlertState, seen: Seen, policy: Policy) -> Judgement:
    released = (Change("released", "pending", "pending"),) if state.suppressed_by else ()
    state = replace(state, suppressed_by=None)
    if state.failures < policy.failures:
        return state, released
    if seen.is_held_back:
        held = () if state.is_held else (Change("held", "pending", "pending"),)
        return replace(state, is_held=True), released + held
    if seen.is_past:
        return state, released
    if seen.is_waiting and state.failures < PATIENCE_FACTOR * policy.failures:
        return state, released
    return _raise(state, seen, policy)


def _raise(state: AlertState, seen: Seen, policy: Policy) -> Judgement:
    severity: Severity = "critical" if state.criticals >= policy.failures else "warning"
    fires = replace(state, phase="firing", alert_id=seen.alert_id, severity=severity, is_held=False)
    return fires, (Change("raised", "pending", "firing", seen.alert_id, persisted_past_window=state.is_held),)


def _succeed(state: AlertState, seen: Seen, policy: Policy) -> Judgement:
    if not state.is_open:
        return _clear(state)
    successes = state.successes + 1
    if successes >= policy.successes:
        return _resolve(state)
    recovers = replace(state, phase="recovering", successes=successes, failures=0, criticals=0)
    return recovers, _moved("recovering", state, "recovering")


def _live(state: AlertState, seen: Seen, policy: Policy) -> Judgement:
    if not state.is_open:
        return _clear(state)
    return replace(state, phase="firing", successes=0), _moved("relapsed", state, "firing")


def _clear(state: AlertState) -> Judgement:
    return _at_ok(state), _moved("cleared", state, "ok")


def _resolve(state: AlertState) -> Judgement:
    return _at_ok(state), (Change("resolved", state.phase, "ok", state.alert_id),)


def _moved(what: Transition, state: AlertState, after: AlertPhase) -> Changes:
    return () if state.phase == after else (Change(what, state.phase, after, state.alert_id),)


def _at_ok(state: AlertState) -> AlertState:
    """At "ok", with what flapping still needs to know."""
    return replace(OK, recent=state.recent, severity=state.severity) if state.recent else OK


_STEPS = {"bad": _fail, "good": _succeed, "alive": _live}
