"""An Idempotency-Key is its caller's own, stands for one request, and gives nobody what he may not have any more."""

import asyncio

from services.inventory.__main__ import build
from services.inventory.settings import InventorySettings
from tests.integration.conftest import Run

SITES, SYSTEMS = "/inventory/v1/sites", "/inventory/v1/systems"
NORTH = {"id": "north", "name": "Northfield General Hospital", "time_zone": "Europe/Berlin"}
SYSTEM = {"site_id": "north", "name": "North archive", "software": {"vendor": "V", "product": "P", "version": "1"}}
KEY = {"Idempotency-Key": "one"}


async def test_requests_that_are_under_way_together_are_carried_out_once(run: Run) -> None:
    """All are answered with the same thing, also when they came before any of them had ended."""
    async with run(inventory=(build, InventorySettings, {})) as steward, steward.admin as admin:
        await admin.post(SITES, json=NORTH)
        answers = await asyncio.gather(*(admin.post(SYSTEMS, json=SYSTEM, headers=KEY) for _ in range(12)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        assert {answer.headers["etag"] for answer in answers} == {'"1"'}
        assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
        assert len((await admin.get(SYSTEMS)).json()["items"]) == 1


async def test_key_of_one_caller_says_nothing_to_another(run: Run) -> None:
    """Nor does it stand for another body or another address."""
    async with run(inventory=(build, InventorySettings, {})) as steward:
        await steward.admin.post(SITES, json=NORTH)
        alice, bob = (steward.as_(name, "operator:north") for name in ("alice", "bob"))
        assert (await alice.post(SYSTEMS, json=SYSTEM, headers=KEY)).status_code == 201
        assert (await bob.post(SYSTEMS, json=SYSTEM, headers=KEY)).status_code == 409
        assert (await bob.post(SYSTEMS, json=SYSTEM | {"name": "Another"}, headers=KEY)).status_code == 201
        other = await alice.post(SYSTEMS, json=SYSTEM | {"name": "Third"}, headers=KEY)
        assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


async def test_answer_is_not_repeated_to_who_has_lost_the_right_to_it(run: Run) -> None:
    """The same name, with less than it had, is refused as if nothing had been asked before."""
    async with run(inventory=(build, InventorySettings, {})) as steward:
        await steward.admin.post(SITES, json=NORTH)
        assert (await steward.as_("alice", "operator:north").post(SYSTEMS, json=SYSTEM, headers=KEY)).is_success
        for grants, status in ((("operator:south",), 404), (("viewer:north",), 403), (("auditor:north",), 403)):
            refused = await steward.as_("alice", *grants).post(SYSTEMS, json=SYSTEM, headers=KEY)
            assert refused.status_code == status
            assert "North archive" not in refused.text
