"""What a run of a suite comes to: its outcome, a verdict for each interface and function, and what is told of it."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from services.probes.conformance.domain import Cell, Negotiated
from services.probes.kinds.cleaning import cleaned
from services.probes.kinds.domain import Observation
from services.probes.suites.domain import LONGEST_DETAIL, ItemRun, Leased, Seen, SuiteRun
from services.probes.suites.expectations import judge
from shared.events.probes import SuiteCompleted, SuiteItemResult, SuiteOutcome, Verdict

ROOM_BYTES = 40 * 1024
"""What the data of ``suite.completed`` may take; the envelope and the largest texts of a run fit in the rest."""

DETAIL_LENGTHS = (300, 80, 0)
ASKED = {"position", "name", "kind", "subject", "subject_name", "settings", "expectation", "vantage"}
Json = dict[str, object]
SEVERITY: tuple[Verdict, ...] = ("passed", "not_run", "error", "failed")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several: what failed before what erred, before what was not run. Nothing at all was not run."""
    return max(verdicts, key=SEVERITY.index, default="not_run")


def summed(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict of one interface or function: what was not run beside what passed takes nothing away."""
    ran = [verdict for verdict in verdicts if verdict != "not_run"]
    return worst(ran)


def outcome_of(items: Sequence[ItemRun]) -> tuple[SuiteOutcome, str]:
    """The outcome, with a sentence. Unknown never passes: what is required must have run, and something must have."""
    counts = Counter(_verdict(item) for item in items)
    missing = [item for item in items if item.required and _verdict(item) == "not_run"]
    total = len(items)
    if counts["failed"]:
        return "failed", f"{counts['failed']} of {total} items failed: {_named(items, 'failed')}."
    if counts["error"]:
        return "error", f"{counts['error']} of {total} items ended in an error of the probe: {_named(items, 'error')}."
    if missing:
        return "failed", f"{len(missing)} required items were not run: {_list(item.name for item in missing)}."
    if not counts["passed"]:
        return "failed", "Nothing of the suite could be run on this system."
    left = f", {counts['not_run']} were not run" if counts["not_run"] else ""
    return "passed", f"{counts['passed']} of {total} items passed{left}."


def concluded(run: SuiteRun, items: Sequence[ItemRun], report: str, now: datetime) -> SuiteRun:
    """The run after its last item; ``report`` is the SHA-256 of its report."""
    outcome, detail = outcome_of(items)
    return run.model_copy(
        update={
            "state": "done",
            "outcome": outcome,
            "detail": detail,
            "started_at": run.started_at or now,
            "finished_at": now,
            "counts": {verdict: sum(_verdict(item) == verdict for item in items) for verdict in SEVERITY},
            "interfaces": {key: _sum(items, interface=key) for key in sorted({item.interface for item in items})},
            "functions": {key: _sum(items, function=key) for key in sorted({item.function for item in items})},
            "report": report,
            "version": run.version + 1,
        }
    )


def failed_at_start(run: SuiteRun, why: str, report: str, now: datetime) -> SuiteRun:
    """The run of a suite that could not begin."""
    return concluded(run, [], report, now).model_copy(update={"outcome": "error", "detail": why})


def ended(item: ItemRun, seen: Seen, evidence: str, now: datetime) -> ItemRun:
    """The item with what was seen, and whether that is what was expected."""
    observation = seen.observation
    judgement = judge(item.expectation, observation)
    detail = "; ".join(judgement.reasons) or observation.detail
    return item.model_copy(
        update={
            "state": "done",
            "started_at": seen.started_at,
            "finished_at": now,
            "verdict": judgement.verdict,
            "failure": observation.failure,
            "detail": detail[:LONGEST_DETAIL],
            "outcome": observation.outcome,
            "rejection": observation.rejection,
            "status": observation.status,
            "phases": dict(observation.phases),
            "measures": dict(observation.measures),
            "facts": dict(observation.facts),
            "evidence": evidence,
        }
    )


def overdue(item: ItemRun, now: datetime) -> ItemRun:
    """The item when the run's time is over: what has ended stays as it is."""
    if item.state == "done":
        return item
    why = "it had not ended" if item.state == "leased" else "its turn had not come"
    verdict: Verdict = "error" if item.state == "leased" else "not_run"
    detail = f"Not run: {why} when the suite's time was over."
    if item.vantage is not None:
        detail = f"Not run: vantage {item.vantage} did not answer until {now:%Y-%m-%d %H:%M:%S} UTC."
    return item.model_copy(update={"state": "done", "verdict": verdict, "detail": detail, "finished_at": now})


def seen_of(leased: Leased, observation: Observation, started_at: datetime) -> Seen:
    """What was seen, as far as it may be kept, with its evidence as it is kept."""
    observation = cleaned(observation)
    negotiated = observation if isinstance(observation, Negotiated) else Negotiated("ok", None, "")
    evidence = json.dumps(
        _evidence(leased, observation, negotiated.cells, started_at), ensure_ascii=False, sort_keys=True
    )
    return Seen(
        observation,
        started_at,
        evidence.encode(),
        negotiated.cells,
        negotiated.ae_title,
        negotiated.calling_ae_title,
    )


def _evidence(leased: Leased, observation: Observation, cells: Sequence[Cell], started_at: datetime) -> Json:
    """What is kept of one item: what was asked, and all that was seen."""
    return {
        "run_id": leased.run_id,
        "system_id": leased.system_id,
        "started_at": started_at.isoformat(),
        "item": leased.item.model_dump(mode="json", include=ASKED),
        "observation": {name: _plain(getattr(observation, name)) for name in Observation.__dataclass_fields__},
        "matrix": [cell.model_dump() for cell in cells],
    }


def report_of(run: SuiteRun, items: Sequence[ItemRun]) -> Json:
    """The whole report: the run as it was asked for, and each item with all that came of it."""
    asked = ("id", "suite_id", "suite_name", "system_id", "site_id", "reason", "about", "requested_by")
    return {
        **run.model_dump(mode="json", include=set(asked)),
        "items": [item.model_dump(mode="json") for item in items],
    }


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def completed(run: SuiteRun, items: Sequence[ItemRun]) -> SuiteCompleted:
    """What is told of a run that has ended, within the size that an event may have."""
    for length in DETAIL_LENGTHS:
        told = [_shortened(item.told(), length) for item in items]
        event = _event(run, told, 0)
        if _size(event) <= ROOM_BYTES:
            return event
    told.sort(key=lambda item: SEVERITY.index(item.verdict), reverse=True)
    while _size(event) > ROOM_BYTES:
        told = told[: len(told) * 3 // 4]
        event = _event(run, told, len(items) - len(told))
    return event


def _event(run: SuiteRun, told: Sequence[SuiteItemResult], omitted: int) -> SuiteCompleted:
    data = run.model_dump() | {"run_id": run.id, "items": told, "items_omitted": omitted}
    return SuiteCompleted.model_validate(data)


def _size(event: SuiteCompleted) -> int:
    return len(event.model_dump_json().encode())


def _shortened(item: SuiteItemResult, length: int) -> SuiteItemResult:
    return item if len(item.detail) <= length else item.model_copy(update={"detail": item.detail[:length]})


def _verdict(item: ItemRun) -> Verdict:
    return item.verdict or "not_run"


def _sum(items: Sequence[ItemRun], **of: str) -> Verdict:
    [(field, key)] = of.items()
    return summed([_verdict(item) for item in items if getattr(item, field) == key])


def _named(items: Sequence[ItemRun], verdict: Verdict) -> str:
    return _list(item.name for item in items if _verdict(item) == verdict)


def _list(names: Iterable[str]) -> str:
    first, *rest = dict.fromkeys(names)
    return "; ".join([first, *rest[:2]]) + ("; …" if len(rest) > 2 else "")
