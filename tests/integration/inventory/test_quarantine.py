"""Quarantine over HTTP holds raw messages of any site, so it is for the operators of the whole group."""

from services.inventory.__main__ import build
from services.inventory.settings import InventorySettings
from tests.integration.conftest import Run

URL = "/inventory/v1/quarantine"
HELD, ABSENT = (f"0199c3f2-7a51-7c3e-9d55-00000000000{n}" for n in (1, 2))
HOLD = """INSERT INTO quarantine (id, topic, partition, "offset", raw, reason, quarantined_at)
          VALUES ($1, 'patch.applied', 0, 7, 'spoilt', 'it is no JSON', now())"""


async def test_refusal_does_not_tell_whether_a_message_is_held(run: Run) -> None:
    """To an operator of one site, what is held reads like what never was."""
    async with run(inventory=(build, InventorySettings, {})) as steward:
        await steward.pools["inventory"].execute(HOLD, HELD)
        assert (await steward.admin.get(f"{URL}/{HELD}")).json()["raw"] == "spoilt"
        olga = steward.as_("olga", "operator:north")
        assert (await olga.get(URL)).status_code == 404
        for held_id in (HELD, ABSENT):
            answers = [
                await olga.get(f"{URL}/{held_id}"),
                await olga.post(f"{URL}/{held_id}/replay"),
                await olga.post(f"{URL}/{held_id}/discard", json={"reason": "sent by a test"}),
            ]
            refusals = [(answer.status_code, answer.json()["detail"]) for answer in answers]
            assert refusals == [(404, f"no quarantined message {held_id}")] * 3
