"""An answer says what of its time is only in an archive any more, as exports do."""

import json
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import execute
from tests.harness import Harness
from tests.integration.compliance.publishing import AUDITOR, COMPLIANCE
from tests.integration.compliance.search.chance import START, SYSTEMS, event, fill
from tests.integration.compliance.search.test_page_of_kind import PRUNE
from tests.integration.conftest import Run

WIDTH = 512
PRUNED = {"first": 0, "end": WIDTH, "location": "file:///archive"}
TOLD = "entries 0 to 511 were pruned, see file:///archive"


def time_of(number: int) -> str:
    """The time of the event of that number."""
    return (START + timedelta(seconds=number)).isoformat()


@pytest.fixture
async def steward(run: Run, database: str) -> AsyncIterator[Harness]:
    """A log of 600 events, one a second, of which the first 512 were pruned."""
    fixed: dict[str, Any] = {"type": "asset.changed", "siteid": "north", "subject": SYSTEMS[0], "correlationid": "flow"}
    told = [event(random.Random(number), number, time=time_of(number), data={}, **fixed) for number in range(600)]
    await fill(database, [told])
    await execute(database, PRUNE)
    async with run(**COMPLIANCE) as harness:
        yield harness


async def ask(steward: Harness, path: str, **query: str) -> dict[str, Any]:
    """An answer to an auditor of the site."""
    answer = await steward.as_("noah", "auditor:north").get(f"/compliance/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


WAYS: tuple[tuple[str, dict[str, str]], ...] = (
    ("events", {}),
    ("events", {"type": "asset.changed"}),
    ("events", {"text": "asset.changed"}),
    ("events/counts", {}),
    (f"assets/{SYSTEMS[0]}/life", {}),
)


@pytest.mark.parametrize(("path", "query"), WAYS)
async def test_answer_says_what_of_its_time_was_pruned(steward: Harness, path: str, query: dict[str, str]) -> None:
    """On every page; and nothing where the time that is asked for does not reach so far."""
    open_ended = await ask(steward, path, **query)
    [gap] = open_ended["pruned"]
    assert {name: gap[name] for name in PRUNED} == PRUNED
    assert gap["pruned_at"].endswith("Z")
    assert open_ended["items"]
    reaching = await ask(steward, path, **query, **{"from": time_of(WIDTH - 1)})
    if path != "events/counts":
        assert reaching["pruned"] == [gap]
        assert (await ask(steward, path, **query, **{"from": time_of(WIDTH)}))["pruned"] == []
        assert (await ask(steward, path, **query, to=time_of(0), order="asc"))["pruned"] == []


async def test_counts_say_what_of_their_days_was_pruned(steward: Harness) -> None:
    """Whole days are counted, so what was pruned of a day matters to all of it."""
    [gap] = (await ask(steward, "events/counts", **{"from": time_of(WIDTH)}))["pruned"]
    assert gap["first"] == 0
    after = (START + timedelta(days=1)).date().isoformat()
    assert (await ask(steward, "events/counts", **{"from": f"{after}T00:00:00Z"}))["pruned"] == []


async def test_search_and_export_say_the_same(steward: Harness) -> None:
    """Of the same time."""
    exported = await steward.as_("noah", "auditor:north").get("/compliance/v1/export", params={"format": "ndjson"})
    assert json.loads(exported.text.splitlines()[-1])["pruned"] == [PRUNED]
    gaps = (await ask(steward, "events"))["pruned"]
    assert [{name: gap[name] for name in PRUNED} for gap in gaps] == [PRUNED]


async def test_flow_says_what_was_pruned(steward: Harness) -> None:
    """What of it lay there can't be told, so all that was pruned is."""
    flow = await ask(steward, "flows/flow")
    assert len(flow["entries"]) == 600 - WIDTH
    assert [gap["end"] for gap in flow["pruned"]] == [WIDTH]


async def test_what_is_not_found_may_have_been_pruned(steward: Harness) -> None:
    """The refusal says so, and where to look."""
    auditor = steward.as_("audrey", *AUDITOR)
    for path, what in (("assets/none/life", "asset none"), ("flows/none", "flow none")):
        answer = await auditor.get(f"/compliance/v1/{path}")
        assert (answer.status_code, answer.json()["detail"]) == (404, f"no {what}; {TOLD}")
