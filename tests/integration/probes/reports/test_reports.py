"""Reports by people: filed, joined, told of, read and closed on a running service."""

import asyncio
import hashlib
from typing import Any

import httpx
import pytest

from services.probes.reports.domain import OF_PERSON
from services.probes.rollups.domain import HOUR
from shared.database import Pool
from shared.events.maintenance import WindowScheduled
from shared.transactions import new_id
from tests.harness import Harness
from tests.integration.conftest import Run, Speak
from tests.integration.probes.fleet import probes, tell_system, window_facts
from tests.integration.probes.history.past import MINUTE, SUBJECT, keep, next_hour, result, roll
from tests.news import until

SLOW = {"site_id": "north", "summary": "Images load slowly in the ED", "place": "ED"}


async def file(who: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    """A report that is taken."""
    answer = await who.post("/probes/v1/reports", json=SLOW | more)
    assert answer.status_code == 201, answer.text
    filed: dict[str, Any] = answer.json()
    return filed


async def close(who: httpx.AsyncClient, report: dict[str, Any], version: int = 1) -> httpx.Response:
    """Says what came of it."""
    url = f"/probes/v1/reports/{report['id']}/closure"
    return await who.post(url, json={"outcome": "A switch was replaced."}, headers={"If-Match": f'"{version}"'})


async def until_raised(steward: Harness, report: dict[str, Any]) -> None:
    """Waits for the report's alert."""
    await steward.heard.until("alert.raised", lambda event: event.data.alert_id == report["alert_id"])


async def known_system(steward: Harness, inventory: Any) -> str:
    """A system at north that probes have heard of."""
    system_id = await tell_system(inventory)
    await until(steward.pools["probes"], "SELECT EXISTS (SELECT FROM assets WHERE id = $1)", system_id)
    return system_id


@pytest.mark.seed("34")
async def test_report_keeps_what_the_probes_saw_and_calls_somebody(run: Run, speak: Speak) -> None:
    """The moment's results and the hour's sums, as bytes whose digest is told; an alert, resolved when it is closed."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        system_id = await known_system(steward, inventory)
        pool = steward.pools["probes"]
        moment = await a_slow_hour(pool, system_id)
        await pool.execute("UPDATE rollups_5m SET starts_at = starts_at - ($1 - now())", moment)
        await pool.execute("UPDATE results SET due_at = due_at - ($1 - now())", moment)
        async with steward.as_("vera", "viewer:north") as vera, steward.as_("otto", "operator:north") as otto:
            report = await file(vera, system_id=system_id, details="CT only")
            raised = await steward.heard.until("alert.raised", lambda e: e.data.alert_id == report["alert_id"])
            assert raised.data.check == f"report:{report['id']}"
            assert (raised.subject, raised.data.severity) == (system_id, "warning")
            assert raised.data.summary == "Reported by staff: Images load slowly in the ED (ED)"
            filed = await steward.heard.until("report.filed")
            assert (filed.actor, filed.data.report_id, filed.data.evidence) == ("vera", report["id"], report["sha256"])
            evidence = await vera.get(f"/probes/v1/reports/{report['id']}/evidence")
            assert hashlib.sha256(evidence.content).hexdigest() == report["sha256"]
            seen = evidence.json()
            [last] = [one for one in seen["results"] if one["kind"] == "dicom-echo"]
            assert last["outcome"] == "degraded"
            assert {one["measure"]: one["p50"] for one in seen["percentiles"]}["tcp"] == 1000
            assert seen["availability"][0]["observed_seconds"] > 0
            assert (await close(otto, report)).status_code == 200
            resolved = await steward.heard.until("alert.resolved", lambda e: e.data.alert_id == report["alert_id"])
            assert resolved.data.summary == "The report was closed: A switch was replaced."
            closed = await steward.heard.until("report.closed")
            assert (closed.actor, closed.data.outcome) == ("otto", "A switch was replaced.")
            assert (await close(otto, report, version=2)).status_code == 409


async def a_slow_hour(pool: Pool, system_id: str) -> Any:
    """An hour of slow answers of a node of the system; its end."""
    starts_at = await next_hour(pool)
    results = [
        result(starts_at + n * MINUTE, outcome="degraded", phases={"tcp": 1000.0}, started_at=starts_at)
        for n in range(60)
    ]
    await keep(pool, results)
    await pool.execute("UPDATE histories SET system_id = $1 WHERE subject = $2", system_id, SUBJECT)
    await roll(pool, starts_at + 2 * HOUR)
    return starts_at + HOUR


async def test_reports_about_the_same_join_one_alert(run: Run, speak: Speak) -> None:
    """Filed at once by many; it is resolved when the last of them is closed, and the next one raises another."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        system_id = await known_system(steward, inventory)
        async with steward.as_("otto", "operator:north") as otto:

            async def file_as(name: str) -> dict[str, Any]:
                async with steward.as_(name, "viewer:north") as who:
                    return await file(who, system_id=system_id)

            reports = await asyncio.gather(*(file_as(f"person {number}") for number in range(6)))
            [alert_id] = {report["alert_id"] for report in reports}
            for report in reports:
                assert not [e for e in steward.heard.events if e.type == "alert.resolved"]
                assert (await close(otto, report)).status_code == 200
            await steward.heard.until("alert.resolved", lambda e: e.data.alert_id == alert_id)
            again = await file_as("person 1")
            assert again["alert_id"] != alert_id
            await steward.heard.until("alert.raised", lambda e: e.data.alert_id == again["alert_id"])
            raised = [e for e in steward.heard.events if e.type == "alert.raised"]
            assert len(raised) == 2


async def test_report_in_a_window_goes_through_and_names_it(run: Run, speak: Speak) -> None:
    """A person's word is not held back; who reads it sees that work was going on."""
    async with run(**probes()) as steward, speak("inventory") as inventory, speak("maintenance") as maintenance:
        system_id = await known_system(steward, inventory)
        facts = window_facts(system_id)
        await maintenance.say(WindowScheduled(**facts), subject="north", site_id="north")
        await until(steward.pools["probes"], "SELECT count(*) = 1 FROM windows")
        async with steward.as_("vera", "viewer:north") as vera:
            for about in ({"system_id": system_id}, {}):
                report = await file(vera, **about)
                await until_raised(steward, report)
                evidence = (await vera.get(f"/probes/v1/reports/{report['id']}/evidence")).json()
                assert [window["id"] for window in evidence["windows"]] == [facts["window_id"]]


async def test_flood_is_refused_and_a_repeat_is_not_a_second_report(run: Run, speak: Speak) -> None:
    """With 429 and when to try again; the same Idempotency-Key is answered the same, and counts once."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        await known_system(steward, inventory)
        async with steward.as_("vera", "viewer:north") as vera, steward.as_("emil", "viewer:north") as emil:
            key = {"Idempotency-Key": new_id()}
            ids = {(await vera.post("/probes/v1/reports", json=SLOW, headers=key)).json()["id"] for _ in range(8)}
            assert len(ids) == 1
            answers = await asyncio.gather(*(vera.post("/probes/v1/reports", json=SLOW) for _ in range(8)))
            codes = sorted(answer.status_code for answer in answers)
            assert codes == [201] * (OF_PERSON.reports - 1) + [429] * (9 - OF_PERSON.reports)
            refusal = next(answer for answer in answers if answer.status_code == 429)
            assert refusal.json()["retry_after_seconds"] == 600
            await file(emil)


async def test_other_sites_reports_do_not_exist(run: Run, speak: Speak) -> None:
    """Neither to file there, nor to read or close; a viewer closes none."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        system_id = await known_system(steward, inventory)
        async with steward.as_("vera", "viewer:north") as vera, steward.as_("sam", "operator:south") as sam:
            report = await file(vera, system_id=system_id)
            assert (await sam.post("/probes/v1/reports", json=SLOW)).status_code == 404
            assert (await sam.get("/probes/v1/reports")).json()["items"] == []
            for path in ("", "/evidence"):
                assert (await sam.get(f"/probes/v1/reports/{report['id']}{path}")).status_code == 404
            assert (await close(sam, report)).status_code == 404
            assert (await close(vera, report)).status_code == 403
            [listed] = (await vera.get("/probes/v1/reports", params={"state": "open"})).json()["items"]
            assert listed == report
            assert (await vera.get("/probes/v1/reports", params={"state": "closed"})).json()["items"] == []
        async with steward.as_("root", "group-admin:*") as root:
            for odd in ({"site_id": "nowhere"}, {"system_id": new_id()}):
                answer = await root.post("/probes/v1/reports", json=SLOW | odd)
                assert answer.status_code == 404
