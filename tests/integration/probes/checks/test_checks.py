"""Checks over REST: what is asked of which asset, by whom it was wished, and when it is not asked."""

from typing import Any

import httpx

from services.inventory.__main__ import build as build_inventory
from services.inventory.settings import InventorySettings
from shared.transactions import new_id
from tests.harness import Harness
from tests.integration.conftest import Run, Speak
from tests.integration.probes.fleet import DAY, listening_node, probes, tell_node, tell_retired, tell_system
from tests.news import until

CHECKS = "/probes/v1/checks"


def draft(subject: str, **more: Any) -> dict[str, Any]:
    """A check of a node that nobody listens at."""
    settings = {"host": "127.0.0.1", "port": 1, "ae_title": "NOBODY"}
    return {"subject": subject, "kind": "dicom-echo", "name": "Echo", "settings": settings} | more


async def known(steward: Harness, asset_id: str) -> str:
    """The asset, once probes has heard of it."""
    await until(steward.pools["probes"], "SELECT count(*) = 1 FROM assets WHERE id = $1", asset_id)
    return asset_id


async def created(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    """The check that was made."""
    answer = await client.post(CHECKS, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_check_is_run_at_once_and_told_of(run: Run, speak: Speak) -> None:
    """Its results are about its asset, under its own probe; the event names who wished it."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            system = await known(steward, await tell_system(inventory))
            settings = {"host": node.host, "port": node.port, "ae_title": node.ae_title}
            async with steward.as_("olga", "operator:north") as olga:
                check = await created(olga, draft(system, settings=settings))
            result = await steward.heard.until("probe.result")
            assert (result.subject, result.data.outcome) == (system, "ok")
            assert result.data.probe_id == f"dicom-echo:{check['id']}"
            changed = await steward.heard.until("check.changed")
            assert (changed.subject, changed.site_id, changed.actor) == (system, "north", "olga")
            assert (changed.data.check_id, changed.data.version, changed.data.deleted) == (check["id"], 1, False)
            [target] = (await steward.admin.get("/probes/v1/targets")).json()["items"]
            assert (target["id"], target["kind"], target["probed"]) == (system, "system", True)


async def test_check_is_changed_by_who_has_seen_it_and_ended(run: Run, speak: Speak) -> None:
    """If-Match guards both; each change is an event; a deleted one is gone, and its probe with it."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        check = await created(steward.admin, draft(await known(steward, await tell_system(inventory))))
        url = f"{CHECKS}/{check['id']}"
        got = await steward.admin.get(url)
        assert (got.json(), got.headers["etag"]) == (check, '"1"')
        change = {"name": "Slow", "settings": check["settings"], "interval_seconds": 300}
        assert (await steward.admin.put(url, json=change)).status_code == 428
        assert (await steward.admin.put(url, json=change, headers={"If-Match": '"7"'})).status_code == 412
        answer = await steward.admin.put(url, json=change, headers={"If-Match": '"1"'})
        assert (answer.status_code, answer.json()["interval_seconds"], answer.headers["etag"]) == (200, 300, '"2"')
        assert (await steward.admin.delete(url, headers={"If-Match": '"1"'})).status_code == 412
        assert (await steward.admin.delete(url, headers={"If-Match": '"2"'})).status_code == 200
        assert (await steward.admin.get(url)).status_code == 404
        gone = await steward.heard.until("check.changed", lambda e: e.data.deleted)
        assert (gone.data.check_id, gone.data.version) == (check["id"], 2)
        assert await steward.pools["probes"].fetchval("SELECT count(*) FROM probes") == 0


async def test_same_request_twice_makes_one_check(run: Run, speak: Speak) -> None:
    """And another of the same name at the asset is a conflict."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        body = draft(await known(steward, await tell_system(inventory)))
        key = {"Idempotency-Key": new_id()}
        answers = [await steward.admin.post(CHECKS, json=body, headers=key) for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        assert (await steward.admin.post(CHECKS, json=body)).status_code == 409


async def test_bad_check_is_refused_with_the_field(run: Run, speak: Speak) -> None:
    """Settings by their kind's model, times by their bounds, unknown fields by name."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        system = await known(steward, await tell_system(inventory))
        for more, field in (
            ({"settings": {"host": "h", "port": "many", "ae_title": "A"}}, "settings.port"),
            ({"kind": "telepathy"}, "kind"),
            ({"interval_seconds": 0}, "interval_seconds"),
            ({"interval_seconds": 10, "timeout_seconds": 9}, "timeout_seconds"),
            ({"depends_on": [new_id()]}, "depends_on"),
            ({"often": True}, "often"),
        ):
            answer = await steward.admin.post(CHECKS, json=draft(system, **more))
            assert answer.status_code == 422, answer.text
            [error] = answer.json()["errors"]
            assert error["field"] == field
            assert error["rule"]
            assert error["example"]


async def test_asset_of_another_site_does_not_exist(run: Run, speak: Speak) -> None:
    """Neither for a check to be made, nor the check that is there; who may only look is told so."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        system = await known(steward, await tell_system(inventory))
        check = await created(steward.admin, draft(system))
        async with steward.as_("sven", "operator:south") as sven, steward.as_("vera", "viewer:north") as vera:
            assert (await sven.post(CHECKS, json=draft(system))).status_code == 404
            assert (await sven.get(f"{CHECKS}/{check['id']}")).status_code == 404
            assert (await sven.get(CHECKS)).json()["items"] == []
            [row] = (await sven.post(f"{CHECKS}/bulk", json={"rows": [draft(system)]})).json()["rows"]
            assert row["problem"]["status"] == 404
            assert (await vera.get(f"{CHECKS}/{check['id']}")).status_code == 200
            assert (await vera.post(CHECKS, json=draft(system))).status_code == 403
        assert (await steward.admin.post(CHECKS, json=draft(new_id()))).status_code == 404


async def test_check_names_no_secret_of_another_site(run: Run, speak: Speak) -> None:
    """Or its maker would get it sent to his own server; those of the group take a group-admin, at each change too."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        system = await known(steward, await tell_system(inventory))

        def page(secret: str, name: str = "Web") -> dict[str, Any]:
            settings = {"url": "http://127.0.0.1:1/", "username": "me", "password": secret}
            return draft(system, kind="http", name=name, settings=settings)

        async with steward.as_("olga", "operator:north") as olga:
            for secret in ("south.ris", "ris", "group.ris"):
                refused = await olga.post(CHECKS, json=page(secret))
                assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "settings.password")
                assert refused.json()["errors"][0]["example"] == "north.ris"
            [row] = (await olga.post(f"{CHECKS}/bulk", json={"rows": [page("group.ris")]})).json()["rows"]
            assert row["problem"]["status"] == 422
            own = await created(olga, page("north.ris"))
            change = {"name": "Web", "settings": own["settings"] | {"password": "south.ris"}}
            url = f"{CHECKS}/{own['id']}"
            assert (await olga.put(url, json=change, headers={"If-Match": '"1"'})).status_code == 422
            shared = await created(steward.admin, page("group.ris", "Shared"))
            change = {"name": "Shared", "settings": shared["settings"] | {"url": "http://127.0.0.1:2/"}}
            url = f"{CHECKS}/{shared['id']}"
            assert (await olga.put(url, json=change, headers={"If-Match": '"1"'})).status_code == 422
            assert (await steward.admin.put(url, json=change, headers={"If-Match": '"1"'})).status_code == 200


async def test_checks_are_listed_by_site_asset_and_kind_in_pages(run: Run, speak: Speak) -> None:
    """A page never shifts; a filter shows only what fits."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        system = await known(steward, await tell_system(inventory))
        other = await known(steward, await tell_system(inventory))
        rows = [draft(system, name=f"Echo {number}") for number in range(5)] + [draft(other)]
        assert (await steward.admin.post(f"{CHECKS}/bulk", json={"rows": rows})).json()["created"] == 6
        first = (await steward.admin.get(CHECKS, params={"subject": system, "limit": 3})).json()
        second = (await steward.admin.get(CHECKS, params={"subject": system, "cursor": first["next"]})).json()
        names = [check["name"] for check in first["items"] + second["items"]]
        assert (names, second["next"]) == ([f"Echo {number}" for number in range(5)], None)
        for query, count in (({"kind": "dicom-echo"}, 6), ({"kind": "http"}, 0), ({"site_id": "south"}, 0)):
            assert len((await steward.admin.get(CHECKS, params=query)).json()["items"]) == count


async def test_each_row_of_a_bulk_request_has_its_own_result(run: Run, speak: Speak) -> None:
    """What is right is made; with ``atomic`` nothing is, where one is wrong."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        system = await known(steward, await tell_system(inventory))
        rows = [draft(system), draft(system, kind="telepathy"), 7, draft(system), draft(system, name="Two")]
        refused = await steward.admin.post(f"{CHECKS}/bulk", params={"atomic": True}, json={"rows": rows})
        assert refused.status_code == 422
        assert [row["index"] for row in refused.json()["rows"]] == [1, 2, 3]
        assert (await steward.admin.get(CHECKS)).json()["items"] == []
        mixed = (await steward.admin.post(f"{CHECKS}/bulk", json={"rows": rows})).json()
        assert (mixed["created"], mixed["refused"]) == (2, 3)
        assert [(row["problem"] or {}).get("status") for row in mixed["rows"]] == [None, 422, 422, 409, None]
        right = [draft(system, name="Three"), draft(system, name="Four")]
        whole = await steward.admin.post(f"{CHECKS}/bulk", params={"atomic": True}, json={"rows": right})
        assert (whole.status_code, whole.json()["created"]) == (200, 2)


async def test_check_runs_only_while_its_asset_and_its_system_can_answer(run: Run, speak: Speak) -> None:
    """An asset that is isolated is not asked, and asked again when it is back; a retired one never again."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        system = await tell_system(inventory)
        with listening_node() as node:
            asset = await known(steward, await tell_node(inventory, node, system_id=system))
            check = await created(steward.admin, draft(asset))
            pool, probe_id = steward.pools["probes"], f"dicom-echo:{check['id']}"
            is_probed = "SELECT count(*) = $2 FROM probes WHERE id = $1"
            await until(pool, is_probed, probe_id, 1)
            await tell_system(inventory, system, state="isolated", version=2)
            await until(pool, is_probed, probe_id, 0)
            await tell_system(inventory, system, state="in_service", version=3)
            await until(pool, is_probed, probe_id, 1)
            await tell_retired(inventory, asset)
            await until(pool, is_probed, probe_id, 0)
            late = await created(steward.admin, draft(asset, name="Late"))
            assert late["enabled"]
            assert await pool.fetchval("SELECT count(*) FROM probes") == 0


async def test_check_that_is_off_is_not_run(run: Run, speak: Speak) -> None:
    """It stays, and runs when it is on again."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        system = await known(steward, await tell_system(inventory))
        check = await created(steward.admin, draft(system, enabled=False))
        assert await steward.pools["probes"].fetchval("SELECT count(*) FROM probes") == 0
        change = {"name": "Echo", "settings": check["settings"]}
        await steward.admin.put(f"{CHECKS}/{check['id']}", json=change, headers={"If-Match": '"1"'})
        await steward.heard.until("probe.result", lambda e: e.subject == system)


async def test_alert_of_a_deleted_check_is_resolved(run: Run, speak: Speak) -> None:
    """Nobody is left with an alert that no result can ever end."""
    async with run(**probes(alert_failures=1)) as steward, speak("inventory") as inventory:
        system = await known(steward, await tell_system(inventory))
        check = await created(steward.admin, draft(system, name="Web front"))
        raised = await steward.heard.until("alert.raised")
        assert (raised.subject, raised.data.check) == (system, "Web front")
        await steward.admin.delete(f"{CHECKS}/{check['id']}", headers={"If-Match": '"1"'})
        resolved = await steward.heard.until("alert.resolved")
        assert resolved.data.alert_id == raised.data.alert_id


async def test_checks_of_real_assets_follow_inventory(run: Run) -> None:
    """Registered over REST, checked over REST: what inventory tells is enough."""
    services = {"inventory": (build_inventory, InventorySettings, {}), **probes(probe_interval=DAY)}
    async with run(**services) as steward:
        site = {"id": "north", "name": "Northfield", "time_zone": "UTC"}
        assert (await steward.admin.post("/inventory/v1/sites", json=site)).is_success
        software = {"vendor": "V", "product": "P", "version": "1"}
        body = {"site_id": "north", "name": "Archive", "software": software}
        system = (await steward.admin.post("/inventory/v1/systems", json=body)).json()["id"]
        await created(steward.admin, draft(await known(steward, system)))
        await steward.heard.until("probe.result", lambda e: e.subject == system)
