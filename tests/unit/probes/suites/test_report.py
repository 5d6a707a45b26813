"""What a run comes to, and that what is told of it fits into an event."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.probes.suites.domain import MOST_TO_RUN, ItemRun, SuiteRun
from services.probes.suites.expectations import Expectation
from services.probes.suites.report import completed, concluded, outcome_of, overdue, summed, worst
from shared.events.envelope import MAX_EVENT_BYTES, encode_unsequenced
from shared.events.probes import Verdict

NOW = datetime(2026, 3, 1, tzinfo=UTC)
VERDICTS: tuple[Verdict, ...] = ("passed", "failed", "error", "not_run")
RUN = SuiteRun(
    id="0199c3f2-7a51-7c3e-9d55-3f1f2f6f8c01",
    version=2,
    suite_id="acceptance",
    suite_name="Acceptance",
    purpose="acceptance",
    system_id="0199c3f2-7a51-7c3e-9d55-3f1f2f6f8a10",
    site_id="north",
    state="running",
    reason="r",
    about=None,
    requested_by="alice",
    requested_at=NOW,
    timeout_seconds=60,
    settings={},
    started_at=NOW,
)


def item(position: int = 0, verdict: Verdict | None = "passed", **more: Any) -> ItemRun:
    """An item that has ended so, or none yet."""
    about: dict[str, Any] = {
        "position": position,
        "name": f"item {position}",
        "function": "import",
        "interface": "archive",
        "kind": "dicom-echo",
        "subject": None,
        "subject_name": "",
        "required": False,
        "is_heavy": False,
        "settings": {},
        "expectation": Expectation(),
        "timeout_seconds": 60,
        "state": "done" if verdict else "planned",
        "verdict": verdict,
    }
    return ItemRun.model_validate(about | more)


ITEMS = st.lists(
    st.builds(
        item,
        verdict=st.sampled_from(VERDICTS),
        required=st.booleans(),
        interface=st.sampled_from(["archive", "modality", "ris_ehr"]),
        function=st.sampled_from(["import", "export", "reporting"]),
    ),
    max_size=12,
)


@given(ITEMS)
def test_suite_passes_only_when_all_that_matters_passed(items: list[ItemRun]) -> None:
    """Nothing failed or erred, all that is required was run, and something was."""
    outcome, _ = outcome_of(items)
    ran = [one for one in items if one.verdict != "not_run"]
    passes = bool(ran) and all(one.verdict == "passed" for one in ran) and all(
        one.verdict == "passed" for one in items if one.required
    )  # fmt: skip
    assert (outcome == "passed") == passes
    assert (outcome == "error") <= any(one.verdict == "error" for one in items)


@given(ITEMS)
def test_sums_tell_of_each_interface_and_function(items: list[ItemRun]) -> None:
    """An interface whose items passed has passed, whatever of it was not run; counts add up."""
    done = concluded(RUN, items, "0" * 64, NOW)
    assert sum(done.counts.values()) == len(items)
    for sums, field in ((done.interfaces, "interface"), (done.functions, "function")):
        assert set(sums) == {getattr(one, field) for one in items}
        for key, verdict in sums.items():
            of_it = {one.verdict for one in items if getattr(one, field) == key}
            assert verdict in of_it
            assert (verdict == "not_run") == (of_it == {"not_run"})
            assert (verdict == "failed") == ("failed" in of_it)


def test_worst_of_nothing_was_not_run() -> None:
    """So that no silence passes."""
    assert worst([]) == summed(["not_run"]) == "not_run"
    assert outcome_of([])[0] == "failed"


@pytest.mark.parametrize("text", ["x", "ü", "\U0001f600", '"', "\x7f"])
@pytest.mark.parametrize("count", [1, 50, MOST_TO_RUN])
def test_what_is_told_fits_into_an_event(text: str, count: int) -> None:
    """The largest run in the widest characters; what failed is told before what passed."""
    wide = {"name": text * 80, "detail": text * 1000, "evidence": "e" * 64, "subject": "s" * 36, "failure": "f" * 40}
    items = [item(n, "failed" if n == count - 1 else "passed", **wide) for n in range(count)]
    run = RUN.model_copy(update={"suite_name": text * 200, "about": text * 200})
    event = completed(concluded(run, items, "0" * 64, NOW), items)
    body = encode_unsequenced(
        event,
        event_id=run.id,
        source="/services/probes",
        subject=run.system_id,
        time=NOW,
        site_id="north",
        actor=text * 200,
        correlation_id="c" * 100,
        causation_id=run.id,
        traceparent="t" * 55,
    )
    assert len(body) <= MAX_EVENT_BYTES
    assert len(event.items) + event.items_omitted == count
    assert [one.verdict for one in event.items].count("failed") == 1


@settings(max_examples=30)
@given(st.lists(st.sampled_from(VERDICTS), max_size=MOST_TO_RUN))
def test_nothing_is_left_out_where_there_is_room(verdicts: list[Verdict]) -> None:
    """Ordinary items are all told, in their order."""
    items = [item(n, verdict) for n, verdict in enumerate(verdicts)]
    event = completed(concluded(RUN, items, "0" * 64, NOW), items)
    assert event.items_omitted == 0
    assert [one.name for one in event.items] == [one.name for one in items]


def test_overdue_items_say_how_far_they_came() -> None:
    """What ended keeps its verdict; what was under way is an error, what never began was not run."""
    later = NOW + timedelta(minutes=1)
    assert overdue(item(), later) == item()
    assert overdue(item(verdict=None, state="leased"), later).verdict == "error"
    waiting = overdue(item(verdict=None), later)
    assert (waiting.verdict, waiting.state, waiting.finished_at) == ("not_run", "done", later)
