"""Many components in one request."""

from typing import Any

from tests.harness import Harness
from tests.integration.inventory.components.parts import COMPONENTS, install
from tests.integration.inventory.requests import HOSTILE, NOBODY

BULK = f"{COMPONENTS}/bulk"


def drive(number: int, **facts: Any) -> dict[str, Any]:
    """A row for a drive."""
    named = {"name": f"Drive {number}", "manufacturer": "Seaquest", "serial": f"SQ-{number:05}"}
    return {"site_id": "north", "type": "drive"} | named | facts


async def test_each_row_has_its_answer(steward: Harness) -> None:
    """Good rows are made or changed, the others say why not; in order, and with their place."""
    array = await install(steward, "array")
    rows = [
        drive(1, installed_in=array["id"]),
        drive(2, type="toaster"),
        drive(3, serial="sq 00001"),
        {"id": array["id"], "version": 1, "name": "Array, renamed"},
        {"id": array["id"], "version": 1, "name": "Array, renamed twice"},
        {"id": NOBODY, "version": 1, "name": "Nothing"},
        drive(4, installed_in=NOBODY),
        drive(5, site_id="nowhere"),
        "no row",
        {"\ud800": 1},
    ]
    answer = await steward.admin.post(BULK, json={"rows": rows[:-1]})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["created"], told["changed"], told["refused"]) == (1, 1, 7)
    statuses = [row["problem"] and row["problem"]["status"] for row in told["rows"]]
    assert statuses == [None, 422, 409, None, 409, 404, 404, 404, 422]
    assert told["rows"][3]["component"]["name"] == "Array, renamed"
    assert told["rows"][3]["component"]["version"] == 2
    made = told["rows"][0]["component"]
    assert (await steward.admin.get(f"{COMPONENTS}/{made['id']}")).json() == made
    await steward.heard.until("asset.changed", lambda event: event.subject == made["id"])


async def test_atomic_rows_are_made_all_or_none(steward: Harness) -> None:
    """One that is refused stops the others; the answer names it."""
    rows = [drive(1), drive(2), drive(2)]
    refused = await steward.admin.post(BULK, json={"rows": rows}, params={"atomic": True})
    assert refused.status_code == 422
    [row] = refused.json()["rows"]
    assert (row["index"], row["problem"]["status"]) == (2, 409)
    assert (await steward.admin.get(COMPONENTS)).json()["items"] == []
    made = await steward.admin.post(BULK, json={"rows": rows[:2]}, params={"atomic": True})
    assert made.json()["created"] == 2


async def test_rows_are_for_ones_own_sites(steward: Harness) -> None:
    """A row about another site's component reads like one about none; a viewer of it changes nothing."""
    far = await install(steward, "ups", site_id="south")
    rows = [drive(1), drive(2, site_id="south"), {"id": far["id"], "version": 1, "name": "mine"}]
    told = (await steward.as_("nora", "operator:north").post(BULK, json={"rows": rows})).json()
    assert [row["problem"] and row["problem"]["status"] for row in told["rows"]] == [None, 404, 404]
    viewer = steward.as_("nora", "operator:north", "viewer:south")
    told = (await viewer.post(BULK, json={"rows": rows[1:]})).json()
    assert [row["problem"]["status"] for row in told["rows"]] == [403, 403]


async def test_thousand_rows_are_one_request(steward: Harness) -> None:
    """The most that one request takes; more is refused whole, as is what is no list."""
    rows = [drive(number) for number in range(1000)]
    told = (await steward.admin.post(BULK, json={"rows": rows})).json()
    assert (told["created"], told["refused"]) == (1000, 0)
    changed = [{"id": row["component"]["id"], "version": 1, "name": "x"} for row in told["rows"]]
    assert (await steward.admin.post(BULK, json={"rows": changed})).json()["changed"] == 1000
    wrong: list[dict[str, Any]] = [{"rows": [*rows, drive(1)]}, {"rows": []}, {"rows": {}}, {}]
    for body in wrong:
        assert (await steward.admin.post(BULK, json=body)).status_code == 422
    for hostile in HOSTILE:
        answer = await steward.admin.post(BULK, content=hostile, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
