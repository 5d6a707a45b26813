"""What was learned is forgotten by a person, for a reason, and the target's new normal is learned from then on."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.probes.alerts.limits import Limits
from services.probes.baselines.handlers import forget_baseline
from services.probes.baselines.store import select_learned_of
from shared.database import Pool
from shared.transactions import begin
from tests.integration.conftest import Run
from tests.integration.probes.alerts.stage import VANTAGE, Seen, bring, open_alerts, transitions
from tests.integration.probes.fleet import SITE, probes
from tests.integration.probes.runs.conftest import pool
from tests.integration.probes.runs.replica import plant, probe_of

__all__ = ["pool"]

BASELINES = "/probes/v1/baselines"
LEARNED = """INSERT INTO baselines VALUES ('a', 'dimse', -1, '{10, 20, 60}', now() - interval '1 hour'),
                 ('a', 'dimse', 5, '{10}', now()), ('a', 'tcp', -1, '{1}', now())"""


async def learned(run: Run, steward: Any) -> None:
    """A probe of which something was learned."""
    await plant(steward.pools["probes"], probe_of("a", interval=timedelta(days=1), vantage=VANTAGE))
    await steward.pools["probes"].execute(LEARNED)


def because(reason: str, etag: str) -> dict[str, Any]:
    """The headers of a change."""
    return {"If-Match": etag, "Change-Reason": reason}


async def test_what_is_usual_can_be_looked_at_and_forgotten(run: Run) -> None:
    """With who and why in an event; other measures keep theirs."""
    async with run(**probes()) as steward:
        await learned(run, steward)
        operator = steward.as_("otto", f"operator:{SITE}")
        items = (await operator.get(BASELINES)).json()["items"]
        assert [(one["id"], one["values"], one["hours"]) for one in items] == [("a/dimse", 3, 1), ("a/tcp", 1, 0)]
        seen = await operator.get(f"{BASELINES}/a/dimse")
        assert (seen.json()["median"], seen.json()["mad"]) == (20, 10)
        headers = because("Its disks are slower now.", seen.headers["etag"])
        assert (await operator.delete(f"{BASELINES}/a/dimse", headers=headers)).json() == seen.json()
        event = await steward.heard.until("baseline.forgotten")
        assert (event.actor, event.subject, event.site_id) == ("otto", "a", SITE)
        assert (event.data.measure, event.data.reason) == ("dimse", "Its disks are slower now.")
        assert [one["id"] for one in (await operator.get(BASELINES)).json()["items"]] == ["a/tcp"]
        assert (await operator.get(f"{BASELINES}/a/dimse")).status_code == 404
        assert await steward.pools["probes"].fetchval("SELECT count(*) FROM baselines WHERE measure = 'dimse'") == 0


@pytest.mark.parametrize(
    ("grant", "headers", "status"),
    [
        (f"viewer:{SITE}", because("r", '"1"'), 403),
        ("operator:south", because("r", '"1"'), 404),
        (f"operator:{SITE}", {"Change-Reason": "r"}, 428),
        (f"operator:{SITE}", because("r", '"1"'), 412),
        (f"operator:{SITE}", None, 422),
    ],
)
async def test_it_is_not_forgotten_by_anybody_nor_blindly(
    run: Run, grant: str, headers: dict[str, str] | None, status: int
) -> None:
    """The role at its site, what was seen, and a reason are needed."""
    async with run(**probes()) as steward:
        await learned(run, steward)
        seen = await steward.admin.get(f"{BASELINES}/a/dimse")
        caller: httpx.AsyncClient = steward.as_("somebody", grant)
        answer = await caller.delete(f"{BASELINES}/a/dimse", headers=headers or {"If-Match": seen.headers["etag"]})
        assert answer.status_code == status, answer.text
        assert (await steward.admin.get(f"{BASELINES}/a/dimse")).json() == seen.json()


async def test_a_new_normal_is_learned_after_the_old_was_forgotten(pool: Pool) -> None:
    """Before it, what is slower for good is a warning for ever; after it, that is resolved and becomes usual."""
    await plant(pool, probe_of("a", vantage=VANTAGE, limits={"dimse": Limits(baseline=True)}))
    await bring(pool, *[Seen("a", 20 * n, "o", {"dimse": 1000}) for n in range(20)])
    await bring(pool, *[Seen("a", 400 + 20 * n, "o", {"dimse": 3000}) for n in range(20)])
    assert await open_alerts(pool) == [("a", "dicom-echo:dimse", "warning")]
    async with begin(pool, "probes", actor="otto", reason="slower disks") as tx:
        known = await select_learned_of(tx.conn, ("a", "dimse"))
        await forget_baseline(tx, ("a", "dimse"), known.version)
    await bring(pool, *[Seen("a", 800 + 20 * n, "o", {"dimse": 3000}) for n in range(20)])
    assert await open_alerts(pool) == []
    assert (await transitions(pool, "a", "dimse"))[-1] == "resolved"
    async with pool.acquire() as conn:
        assert (await select_learned_of(conn, ("a", "dimse"))).median == 3000
    await bring(pool, *[Seen("a", 1200 + n, "o", {"dimse": 9000}) for n in range(3)])
    assert await open_alerts(pool) == [("a", "dicom-echo:dimse", "warning")]
