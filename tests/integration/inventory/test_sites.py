"""Sites over HTTP and on the bus."""

from typing import Any
from uuid import uuid4

import pytest

from services.inventory.__main__ import build
from services.inventory.settings import InventorySettings
from tests.integration.conftest import Run

NORTH = {"id": "north", "name": "Northfield General Hospital", "time_zone": "Europe/Berlin"}
INVENTORY: dict[str, Any] = {"inventory": (build, InventorySettings, {})}


async def test_registered_site_is_published_with_who_registered_it(run: Run) -> None:
    """site.changed carries the site's full state and the caller as its actor."""
    async with run(**INVENTORY) as steward:
        answer = await steward.as_("alice", "group-admin:*").post("/inventory/v1/sites", json=NORTH)
        assert answer.status_code == 201, answer.text
        assert answer.headers["etag"] == '"1"'
        event = await steward.heard.until("site.changed")
        assert (event.subject, event.site_id, event.actor) == ("north", "north", "alice")
        assert event.data.name == NORTH["name"]


async def test_repeated_request_with_its_key_is_answered_the_same_and_done_once(run: Run) -> None:
    """An Idempotency-Key makes a second POST a replay of the first answer."""
    async with run(**INVENTORY) as steward:
        key = {"Idempotency-Key": str(uuid4())}
        first = await steward.admin.post("/inventory/v1/sites", json=NORTH, headers=key)
        second = await steward.admin.post("/inventory/v1/sites", json=NORTH, headers=key)
        assert second.status_code == 201
        assert second.json() == first.json()
        assert second.headers["idempotency-replayed"] == "true"
        other = await steward.admin.post("/inventory/v1/sites", json=NORTH | {"id": "south"}, headers=key)
        assert other.status_code == 422
        assert await steward.pools["inventory"].fetchval("SELECT count(*) FROM sites") == 1


async def test_change_without_the_seen_version_is_refused(run: Run) -> None:
    """428 without If-Match, 412 with an old one, 200 with the right one."""
    async with run(**INVENTORY) as steward:
        await steward.admin.post("/inventory/v1/sites", json=NORTH)
        body = {"name": "Northfield University Hospital", "time_zone": "Europe/Berlin"}
        url = "/inventory/v1/sites/north"
        assert (await steward.admin.put(url, json=body)).status_code == 428
        assert (await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})).status_code == 200
        assert (await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})).status_code == 412


async def test_a_site_of_others_does_not_exist_for_you(run: Run) -> None:
    """Lists leave it out and its address is 404."""
    async with run(**INVENTORY) as steward:
        await steward.admin.post("/inventory/v1/sites", json=NORTH)
        south = steward.as_("bob", "viewer:south")
        assert (await south.get("/inventory/v1/sites")).json() == {"items": [], "next": None}
        assert (await south.get("/inventory/v1/sites/north")).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "North"}, "id"),
        ({"id": "group"}, "id"),
        ({"time_zone": "Berlin"}, "time_zone"),
        ({"name": ""}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"colour": "blue"}, "colour"),
    ],
)
async def test_malformed_site_is_refused_with_field_rule_and_example(
    run: Run, change: dict[str, str], field: str
) -> None:
    """422 names what to mend, and nothing is stored."""
    async with run(**INVENTORY) as steward:
        answer = await steward.admin.post("/inventory/v1/sites", json=NORTH | change)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        [error] = answer.json()["errors"]
        assert error["field"] == field
        assert error["rule"]
        assert error["example"]
        assert await steward.pools["inventory"].fetchval("SELECT count(*) FROM sites") == 0


async def test_calls_without_a_valid_token_are_refused(run: Run) -> None:
    """401 with no token, with a foreign one and with an unsigned one."""
    async with run(**INVENTORY) as steward:
        unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0."
        for header in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {unsigned}"}):
            answer = await steward.http.get("/inventory/v1/sites", headers=header)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
