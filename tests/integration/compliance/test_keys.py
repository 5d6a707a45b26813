"""An API key works at every service that has heard of it, and ends when it is revoked or its time is over."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from services.inventory.__main__ import build as build_inventory
from services.inventory.settings import InventorySettings
from shared.database import open_pool
from shared.events import Event
from tests.harness import Harness
from tests.integration.compliance.appending.checking import check_log
from tests.integration.compliance.publishing import COMPLIANCE
from tests.integration.conftest import Run
from tests.news import until

URL = "/compliance/v1/keys"
HOLD = """INSERT INTO quarantine (id, topic, partition, "offset", raw, reason, quarantined_at)
          VALUES ($1, 'key.changed', 0, 7, $2, 'the database was restored', now())"""
BOTH: dict[str, Any] = {**COMPLIANCE, "inventory": (build_inventory, InventorySettings, {})}


def body(**changes: Any) -> dict[str, Any]:
    """A key that may read for a day."""
    expires_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    return {"name": "robot", "grants": ["viewer:north"], "expires_at": expires_at, **changes}


def client_with(steward: Harness, secret: str) -> httpx.AsyncClient:
    """A client that holds the key."""
    client = steward.as_("nobody")
    client.headers["Authorization"] = f"Bearer {secret}"
    return client


async def until_applied(steward: Harness, service: str, event: Event[Any]) -> None:
    """Returns when ``service`` has applied the event."""
    await until(
        steward.pools[service],
        "SELECT true FROM positions WHERE topic = $1 AND (sequences->>$2)::bigint >= $3",
        event.type,
        event.source,
        event.sequence,
    )


async def test_key_works_after_its_event_arrived_and_not_after_its_revocation(run: Run) -> None:
    """At another service, with the grants that it was given, under the name that it was given."""
    async with run(**BOTH) as steward:
        issued = await steward.as_("alice", "group-admin:*").post(URL, json=body(grants=["group-admin:*"]))
        assert issued.status_code == 201, issued.text
        assert issued.headers["cache-control"] == "no-store"
        key = issued.json()
        assert key["secret"].startswith("stw_")
        assert (key["issued_by"], key["version"]) == ("alice", 1)
        await until_applied(steward, "inventory", await steward.heard.until("key.changed"))
        robot = client_with(steward, key["secret"])
        site = {"id": "north", "name": "Northfield", "time_zone": "Europe/Berlin"}
        assert (await robot.post("/inventory/v1/sites", json=site)).status_code == 201
        assert (await steward.heard.until("site.changed")).actor == "key:robot"

        revocation = f"{URL}/{key['id']}/revocation"
        assert (await steward.admin.post(revocation)).status_code == 428
        revoked = await steward.admin.post(revocation, headers={"If-Match": issued.headers["etag"]})
        assert revoked.status_code == 200
        assert (revoked.json()["revoked_by"], revoked.json()["version"]) == ("admin", 2)
        changed = await steward.heard.until("key.changed", lambda event: event.data.revoked_at is not None)
        await until_applied(steward, "inventory", changed)
        assert (await robot.get("/inventory/v1/sites")).status_code == 401
        again = await steward.admin.post(revocation, headers={"If-Match": '"2"'})
        assert again.status_code == 409


async def test_replayed_event_does_not_undo_a_revocation(run: Run) -> None:
    """A message from before the revocation that is replayed after it leaves the key refused."""
    async with run(**BOTH) as steward:
        issued = await steward.admin.post(URL, json=body())
        told = await steward.heard.until("key.changed")
        await steward.admin.post(f"{URL}/{issued.json()['id']}/revocation", headers={"If-Match": '"1"'})
        changed = await steward.heard.until("key.changed", lambda event: event.data.revoked_at is not None)
        await until_applied(steward, "inventory", changed)
        held_id = str(uuid4())
        await steward.pools["inventory"].execute(HOLD, held_id, told.raw)
        replayed = await steward.admin.post(f"/inventory/v1/quarantine/{held_id}/replay")
        assert replayed.json()["state"] == "replayed", replayed.text
        robot = client_with(steward, issued.json()["secret"])
        assert (await robot.get("/inventory/v1/sites")).status_code == 401


async def test_expired_key_is_refused(run: Run) -> None:
    """Its time is judged when it is used, by the service where it is used."""
    async with run(**BOTH) as steward:
        key = (await steward.admin.post(URL, json=body())).json()
        await until_applied(steward, "inventory", await steward.heard.until("key.changed"))
        robot = client_with(steward, key["secret"])
        assert (await robot.get("/inventory/v1/sites")).status_code == 200
        await steward.pools["inventory"].execute("UPDATE api_keys SET expires_at = now()")
        assert (await robot.get("/inventory/v1/sites")).status_code == 401


async def test_secret_is_shown_once_and_stored_nowhere(run: Run, database: str) -> None:
    """A repeated request is answered with the same key, without its secret; no table, entry or event holds it."""
    async with run(**COMPLIANCE) as steward:
        header, asked = {"Idempotency-Key": str(uuid4())}, body()
        first = await steward.admin.post(URL, json=asked, headers=header)
        second = await steward.admin.post(URL, json=asked, headers=header)
        secret = first.json()["secret"]
        assert second.status_code == 201
        assert second.headers["idempotency-replayed"] == "true"
        assert "secret" not in second.json()
        assert second.json() == {name: value for name, value in first.json().items() if name != "secret"}
        event = await steward.heard.until("key.changed")
        assert secret.encode() not in event.raw
        await until_applied(steward, "compliance", event)
        owner = await open_pool(database, schema="compliance", application="test-owner")
        for (table,) in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'compliance'"):
            rows = await owner.fetch(f'SELECT * FROM "{table}"')
            assert all(secret not in str(value) for row in rows for value in row.values())
        await owner.close()
        assert all(secret.encode() not in entry.event for entry in (await check_log(database)).entries)
        listed = (await steward.admin.get(URL)).json()["items"]
        assert listed == [second.json()]
        one = await steward.admin.get(f"{URL}/{first.json()['id']}")
        assert one.json() == second.json()


async def test_only_the_groups_administrators_have_to_do_with_keys(run: Run) -> None:
    """Nor can they give what they do not hold."""
    async with run(**COMPLIANCE) as steward:
        assert (await steward.as_("sam", "site-admin:*").get(URL)).status_code == 403
        assert (await steward.as_("nora", "group-admin:north").post(URL, json=body())).status_code == 404
        assert (await steward.admin.post(URL, json=body(grants=["auditor:*"]))).status_code == 403
        both = steward.as_("ada", "group-admin:*", "auditor:*")
        assert (await both.post(URL, json=body(grants=["auditor:*"]))).status_code == 201
        assert (await steward.admin.post(URL, json=body())).status_code == 409


async def test_refusal_does_not_tell_whether_a_key_exists(run: Run) -> None:
    """To who administers one hospital, the group's keys read like keys that never were."""
    async with run(**COMPLIANCE) as steward:
        issued = (await steward.admin.post(URL, json=body())).json()
        nora = steward.as_("nora", "group-admin:north")
        for key_id in (issued["id"], str(uuid4())):
            seen = await nora.get(f"{URL}/{key_id}")
            revoked = await nora.post(f"{URL}/{key_id}/revocation", headers={"If-Match": '"1"'})
            assert [(a.status_code, a.json()["detail"]) for a in (seen, revoked)] == [(404, f"no key {key_id}")] * 2


async def test_malformed_keys_are_refused(run: Run) -> None:
    """422 with the field; nothing is issued."""
    async with run(**COMPLIANCE) as steward:
        changes: list[dict[str, Any]] = [
            {"name": ""},
            {"name": "a\nb"},
            {"grants": []},
            {"grants": ["viewer"]},
            {"grants": ["king:north"]},
            {"grants": ["viewer:group"]},
            {"expires_at": "2020-01-01T00:00:00Z"},
            {"expires_at": (datetime.now(UTC) + timedelta(days=400)).isoformat()},
            {"expires_at": "9999-01-01T00:00:00Z"},
            {"colour": "blue"},
        ]
        for change in changes:
            answer = await steward.admin.post(URL, json=body(**change))
            assert answer.status_code == 422, change
            assert answer.json()["errors"][0]["field"] in change
        assert (await steward.admin.get(URL)).json()["items"] == []
