"""What the rollups of some results must be, computed the long way: all results of a probe in one list."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.probes.history.domain import Result
from services.probes.kpis.availability import UNREACHABLE, UNREACHABLE_UNCONNECTED, Account
from services.probes.rollups.domain import floor

JUDGED = ("ok", "degraded", "failed")


@dataclass
class Expected:
    """One rollup."""

    outcomes: dict[str, int] = field(default_factory=dict)
    account: Account = field(default_factory=Account)
    values: dict[str, list[float]] = field(default_factory=dict)


def rollups_of(results: Sequence[Result], interval: timedelta, step: timedelta) -> dict[tuple[str, datetime], Expected]:
    """By probe and step, what the results come to."""
    expected: dict[tuple[str, datetime], Expected] = {}
    for probe_id in {result.probe_id for result in results}:
        before: Result | None = None
        for result in sorted((r for r in results if r.probe_id == probe_id), key=lambda r: r.due_at):
            rollup = expected.setdefault((probe_id, floor(result.due_at, step)), Expected())
            rollup.outcomes[result.outcome] = rollup.outcomes.get(result.outcome, 0) + 1
            for name, value in values_of(result):
                rollup.values.setdefault(name, []).append(value)
            if result.outcome in JUDGED:
                rollup.account += accounted(before, result, 3 * interval)
                before = result
    return expected


def values_of(result: Result) -> Iterator[tuple[str, float]]:
    """All numbers of a result, with the sum of its phases where it was answered."""
    yield from result.phases.items()
    yield from result.measures.items()
    if result.outcome in ("ok", "degraded") and result.phases:
        yield "total", sum(result.phases.values())


def accounted(before: Result | None, result: Result, hold: timedelta) -> Account:
    """What a result accounts for: the time since the one before it, in the state that that one had found."""
    lost = result.window_id is None and not _is_reachable(result) and (before is None or _is_reachable(before))
    broke = result.window_id is None and result.outcome != "ok" and (before is None or before.outcome == "ok")
    account = Account(losses=int(lost), breakdowns=int(broke))
    if before is None:
        return account
    seconds = min(result.due_at - before.due_at, hold).total_seconds()
    is_usable = before.outcome == "ok"
    if before.window_id is not None:
        return account + Account(planned=seconds, planned_down=0 if is_usable else seconds)
    reachable = seconds if _is_reachable(before) else 0
    return account + Account(observed=seconds, reachable=reachable, usable=seconds if is_usable else 0)


def _is_reachable(result: Result) -> bool:
    if result.outcome != "failed" or result.failure in UNREACHABLE:
        return result.outcome != "failed"
    return result.failure not in UNREACHABLE_UNCONNECTED or "tcp" in result.phases
