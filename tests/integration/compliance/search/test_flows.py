"""An auditor sees what followed from one request."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness import Harness
from tests.integration.compliance.publishing import AUDITOR, COMPLIANCE
from tests.integration.compliance.search.chance import START, Entry, event, fill
from tests.integration.conftest import Run

FLOW = "night/17?"
URL = f"/compliance/v1/flows/{quote(FLOW, safe='')}"
LONG = 1100


def step(number: int, cause: int | None, site_id: str = "north", flow: str = FLOW) -> Entry:
    """An event of a flow, which another has caused."""
    time = (START + timedelta(seconds=number)).isoformat()
    told = event(random.Random(number), number, siteid=site_id, correlationid=flow, time=time)
    return told if cause is None else told | {"causationid": f"event-{cause}"}


def shape(entries: list[dict[str, Any]]) -> list[Any]:
    """The ids of a tree's events and their causes."""
    return [(one["entry"]["event"]["id"], one["cause"], shape(one["children"])) for one in entries]


@pytest.fixture
async def steward(run: Run, database: str) -> AsyncIterator[Harness]:
    """A flow through two sites, and one that is long."""
    short = [step(0, None), step(1, 0), step(2, 0, "south"), step(3, 2), step(4, 99), step(5, 1)]
    long = [step(1000 + number, None if not number else 999 + number, flow="long") for number in range(LONG)]
    await fill(database, [short, long])
    async with run(**COMPLIANCE) as harness:
        yield harness


async def test_flow_is_a_tree_of_causes(steward: Harness) -> None:
    """Each entry stands under its cause; what was caused from outside of the flow stands at the top."""
    answer = await steward.as_("audrey", *AUDITOR).get(URL)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["correlation_id"], body["is_complete"]) == (FLOW, True)
    assert shape(body["entries"]) == [
        (
            "event-0",
            "none",
            [
                ("event-1", "known", [("event-5", "known", [])]),
                ("event-2", "known", [("event-3", "known", [])]),
            ],
        ),
        ("event-4", "absent", []),
    ]


async def test_what_another_site_did_is_absent(steward: Harness) -> None:
    """What it caused at one's own site is told, and that its cause is not."""
    noah = (await steward.as_("noah", "auditor:north").get(URL)).json()
    assert [(one["entry"]["event"]["id"], one["cause"]) for one in noah["entries"]] == [
        ("event-0", "none"),
        ("event-3", "absent"),
        ("event-4", "absent"),
    ]
    assert "south" not in str(noah)
    answer = await steward.as_("emil", "auditor:east").get(URL)
    assert (answer.status_code, answer.json()["detail"]) == (404, f"no flow {FLOW}")


async def test_long_flow_is_cut_and_says_so(steward: Harness) -> None:
    """Its first thousand entries, no deeper than a reader can follow, each once."""
    body = (await steward.as_("audrey", *AUDITOR).get("/compliance/v1/flows/long")).json()
    assert not body["is_complete"]
    seen: list[str] = []
    waiting = [(1, one) for one in body["entries"]]
    while waiting:
        depth, one = waiting.pop()
        assert depth <= 51
        seen.append(one["entry"]["event"]["id"])
        waiting += [(depth + 1, child) for child in one["children"]]
    assert sorted(seen) == sorted(f"event-{1000 + number}" for number in range(1000))
    assert [one["cause"] for one in body["entries"]] == ["none"] + ["deep"] * 19


async def test_malformed_and_unknown_flows_are_refused(steward: Harness) -> None:
    """404 and 422; and it takes an auditor."""
    auditor = steward.as_("audrey", *AUDITOR)
    for flow, status in (("unknown", 404), ("x" * 300, 422), ("%00", 422)):
        assert (await auditor.get(f"/compliance/v1/flows/{flow}")).status_code == status
    assert (await auditor.get(f"{URL}?deep=1")).status_code == 422
    assert (await steward.admin.get(URL)).status_code == 403
