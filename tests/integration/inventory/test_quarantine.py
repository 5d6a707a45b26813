"""Quarantine over HTTP holds raw messages of any site, so it is for the operators of the whole group."""

from datetime import UTC, datetime

from services.inventory.__main__ import build
from services.inventory.settings import InventorySettings
from shared.events import encode_unsequenced, with_sequence
from shared.events.maintenance import PatchApplied
from tests.integration.conftest import Run

URL = "/inventory/v1/quarantine"
HELD, ABSENT = (f"0199c3f2-7a51-7c3e-9d55-00000000000{n}" for n in (1, 2))
HOLD = """INSERT INTO quarantine (id, topic, partition, "offset", raw, reason, quarantined_at)
          VALUES ($1, 'patch.applied', 0, $2, $3, 'it is no JSON', now())"""


async def test_refusal_does_not_tell_whether_a_message_is_held(run: Run) -> None:
    """To an operator of one site, what is held reads like what never was."""
    async with run(inventory=(build, InventorySettings, {})) as steward:
        await steward.pools["inventory"].execute(HOLD, HELD, 7, b"spoilt")
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


async def test_replay_that_fails_again_is_a_conflict_that_says_why(run: Run) -> None:
    """What the message names may be absent; the message itself is there, and stays held."""
    now = datetime.now(UTC)
    fits_nothing = encode_unsequenced(
        PatchApplied(patch_id=HELD, from_version="1", to_version="2", applied_at=now, summary="Fixes"),
        event_id=HELD,
        source="/services/maintenance",
        subject=ABSENT,
        time=now,
        site_id="north",
        actor="carol",
        correlation_id="patch-day",
        causation_id=None,
        traceparent=None,
    )
    async with run(inventory=(build, InventorySettings, {})) as steward:
        pool = steward.pools["inventory"]
        await pool.execute(HOLD, HELD, 7, with_sequence(fits_nothing, 1))
        await pool.execute(HOLD, ABSENT, 8, b"spoilt")
        for held_id, reason in ((HELD, f"no asset {ABSENT}"), (ABSENT, "envelope: ")):
            refused = await steward.admin.post(f"{URL}/{held_id}/replay")
            assert refused.status_code == 409, refused.text
            assert refused.json()["detail"].startswith(f"the message still can't be applied: {reason}")
            assert (await steward.admin.get(f"{URL}/{held_id}")).json()["state"] == "held"
