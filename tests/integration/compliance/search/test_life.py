"""An auditor sees all that happened to an asset."""

import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.harness import Harness
from tests.integration.compliance.publishing import AUDITOR, COMPLIANCE
from tests.integration.compliance.search.chance import SYSTEMS, Entry, entries_of, event, fill
from tests.integration.conftest import Run

ASSET = SYSTEMS[3]


def concerns(told: Entry) -> bool:
    """Whether an event is about the asset or names it."""
    data = told["data"]
    named = (told["subject"], data.get("system_id"), *(system["id"] for system in data.get("systems", ())))
    return ASSET in named


@pytest.fixture
async def steward(run: Run, database: str) -> AsyncIterator[Harness]:
    """A log of two partitions, with times out of order."""
    chance = random.Random(4)
    only_mentioned = event(chance, 900, siteid="north", subject="elsewhere", data={"systems": [{"id": "mentioned"}]})
    events = [event(chance, number) for number in range(600)] + [only_mentioned | {"type": "window.started"}]
    await fill(database, [events])
    async with run(**COMPLIANCE) as harness:
        yield harness


async def life(client: httpx.AsyncClient, asset_id: str = ASSET, **query: Any) -> list[int]:
    """The indices on all pages."""
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(f"/compliance/v1/assets/{asset_id}/life", params={"limit": 7, **query, **cursor})
        assert answer.status_code == 200, answer.text
        found += [item["index"] for item in answer.json()["items"]]
        if answer.json()["next"] is None:
            return found
        cursor = {"cursor": answer.json()["next"]}


async def test_life_is_what_an_asset_is_subject_of_or_named_in(steward: Harness) -> None:
    """From the first event on, page by page, without the results of probes unless these are asked for."""
    auditor = steward.as_("audrey", *AUDITOR)
    told = [told for told in await entries_of(steward.pools["compliance"]) if concerns(told)]
    without = [one["index"] for one in told if one["type"] != "probe.result"]
    assert 0 < len(without) < len(told)
    assert await life(auditor) == without
    assert await life(auditor, order="desc") == without[::-1]
    assert await life(auditor, probes="true") == [one["index"] for one in told]
    assert await life(auditor, type="probe.result") == [one["index"] for one in told if one["type"] == "probe.result"]
    later = told[len(told) // 2]["time"]
    expected = [one["index"] for one in told if one["index"] in without and one["time"] >= later]
    assert await life(auditor, **{"from": later}) == expected
    assert len(await life(auditor, "mentioned")) == 1


async def test_life_ends_at_the_sites_of_who_asks(steward: Harness) -> None:
    """What happened to it elsewhere is not told, and an asset that is only there does not exist."""
    noah, sam = steward.as_("noah", "auditor:north"), steward.as_("sam", "auditor:south")
    told = [told for told in await entries_of(steward.pools["compliance"]) if concerns(told)]
    own = [one["index"] for one in told if one["siteid"] == "north" and one["type"] != "probe.result"]
    assert await life(noah) == own
    assert len(await life(noah, "mentioned")) == 1
    for client, asset_id in ((sam, "mentioned"), (noah, "nothing")):
        answer = await client.get(f"/compliance/v1/assets/{asset_id}/life")
        assert (answer.status_code, answer.json()["detail"]) == (404, f"no asset {asset_id}")


async def test_malformed_questions_are_refused(steward: Harness) -> None:
    """As in search."""
    auditor = steward.as_("audrey", *AUDITOR)
    for query in ("cursor=x", "limit=0", "order=up", "probes=2", "subject=x", "from=9999-01-01T00:00:00Z"):
        assert (await auditor.get(f"/compliance/v1/assets/{ASSET}/life?{query}")).status_code == 422, query
    assert (await auditor.get(f"/compliance/v1/assets/{'x' * 300}/life")).status_code == 422
    assert (await steward.admin.get(f"/compliance/v1/assets/{ASSET}/life")).status_code == 403
