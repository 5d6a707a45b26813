"""Protection sets over HTTP."""

from typing import Any

import pytest

from shared.events.inventory import AssetChanged
from shared.transactions import begin
from tests.integration.backup.machine import Machine, announce_system, protect, set_of
from tests.integration.conftest import Run
from tests.news import until

SETS = "/backup/v1/sets"
APPLIED = "SELECT sum(next_offset) FROM positions WHERE topic = 'asset.changed'"


async def test_set_is_made_listed_and_changed_by_its_version(run: Run, machine: Machine) -> None:
    """201 with an ETag; 428 without If-Match, 412 with an old one, 200 with the right one."""
    other = machine.folder / "archive" / "other"
    other.mkdir()
    async with run(**machine.services()) as steward:
        made = await protect(steward, machine.archive)
        assert (made["site_id"], made["engine"], made["path"]) == ("north", "restic", str(machine.archive))
        assert (await steward.admin.get(SETS)).json() == {"items": [made], "next": None}
        url = f"{SETS}/{made['id']}"
        body = {"path": str(other), "repository": "north-archive"}
        assert (await steward.admin.put(url, json=body)).status_code == 428
        changed = await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})
        assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
        assert (await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})).status_code == 412
        assert (await steward.admin.get(url)).json() == changed.json()


async def test_a_system_has_one_set_of_a_scope_in_a_repository(run: Run, machine: Machine) -> None:
    """409 for a second one, and for a change that would make a second one."""
    async with run(**machine.services()) as steward:
        made = await protect(steward, machine.archive)
        body = set_of(made["system_id"], machine.archive)
        assert (await steward.admin.post(SETS, json=body)).status_code == 409
        other = await steward.admin.post(SETS, json=body | {"repository": "north-copy"})
        assert other.status_code == 201
        again = {"path": str(machine.archive), "repository": "north-archive"}
        url = f"{SETS}/{other.json()['id']}"
        assert (await steward.admin.put(url, json=again, headers={"If-Match": '"1"'})).status_code == 409


async def test_path_is_stored_with_its_links_followed(run: Run, machine: Machine) -> None:
    """``..`` and links that stay within the roots are allowed and resolved."""
    (machine.folder / "archive" / "link").symlink_to(machine.archive)
    async with run(**machine.services()) as steward:
        made = await protect(steward, machine.folder / "archive" / "link" / ".." / "link" / "series")
        assert made["path"] == str(machine.archive / "series")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"path": "archive/north"}, "path"),
        ({"path": "/etc"}, "path"),
        ({"path": "{archive}/../../archive/../repositories"}, "path"),
        ({"path": "{archive}/out"}, "path"),
        ({"path": "{archive}/nothing"}, "path"),
        ({"path": "{archive}/a\u0000b"}, "path"),
        ({"path": "{archive}/" + "a" * 5000}, "path"),
        ({"path": "{archive}/" + "a" * 300}, "path"),
        ({"repository": "../north"}, "repository"),
        ({"repository": "North"}, "repository"),
        ({"repository": ""}, "repository"),
        ({"scope": "images"}, "scope"),
        ({"engine": "tar"}, "engine"),
        ({"system_id": "north"}, "system_id"),
        ({"password": "secret"}, "password"),
    ],
)
async def test_malformed_set_is_refused_with_field_rule_and_example(
    run: Run, machine: Machine, change: dict[str, str], field: str
) -> None:
    """422 names what to mend, and nothing is stored."""
    (machine.archive / "out").symlink_to("/etc")
    async with run(**machine.services()) as steward:
        filled = {name: value.replace("{archive}", str(machine.archive)) for name, value in change.items()}
        body = set_of(await announce_system(steward), machine.archive) | filled
        answer = await steward.admin.post(SETS, json=body)
        assert answer.status_code == 422, answer.text
        [error] = answer.json()["errors"]
        assert error["field"] == field
        assert error["rule"]
        assert error["example"]
        assert await steward.pools["backup"].fetchval("SELECT count(*) FROM sets") == 0


async def test_backups_do_not_back_up_themselves(run: Run, machine: Machine) -> None:
    """A root may be wide; the repositories and the work folder within it stay out, and so does what holds them."""
    machine.repositories.mkdir()
    async with run(**machine.services(backup_roots=(machine.folder,))) as steward:
        system_id = await announce_system(steward)
        for path in (machine.folder, machine.repositories):
            answer = await steward.admin.post(SETS, json=set_of(system_id, path))
            assert answer.status_code == 422
            assert "the backups themselves" in answer.json()["detail"]


async def test_system_that_is_unknown_or_has_no_data_gets_no_set(run: Run, machine: Machine) -> None:
    """404 for an absent system and for another site's; 409 for a closed one."""
    async with run(**machine.services()) as steward:
        closed = await announce_system(steward, state="closed")
        south = await announce_system(steward, site_id="south")
        north = steward.as_("nora", "site-admin:north")
        absent = "0199d6a0-7c3e-7a51-9f0e-6a1c52d7b001"
        for system_id, status in ((closed, 409), (south, 404), (absent, 404)):
            assert (await north.post(SETS, json=set_of(system_id, machine.archive))).status_code == status


async def test_older_news_of_a_system_change_nothing(run: Run, machine: Machine) -> None:
    """What was told later, by version, stays."""

    def told(name: str, version: int) -> AssetChanged:
        return AssetChanged(kind="system", name=name, state="in_service", version=version)

    async with run(**machine.services()) as steward:
        system_id = await announce_system(steward)
        pool = steward.pools["backup"]
        seen = await pool.fetchval(APPLIED)
        for asset in (told("Third", 3), told("Second", 2)):
            async with begin(steward.pools["inventory"], "inventory", actor="carol") as tx:
                tx.record(asset, subject=system_id, site_id="north")
        await until(pool, f"SELECT ({APPLIED}) = $1::bigint + 2", seen)
        assert await pool.fetchval("SELECT name FROM systems") == "Third"


@pytest.mark.parametrize(
    ("grant", "make", "look", "change"),
    [
        ("viewer:north", 403, 200, 403),
        ("operator:north", 403, 200, 403),
        ("auditor:north", 403, 200, 403),
        ("site-admin:north", 201, 200, 200),
        ("group-admin:*", 201, 200, 200),
        ("viewer:south", 403, 404, 403),
        ("site-admin:south", 404, 404, 404),
    ],
)
async def test_sets_are_for_administrators_of_their_site(
    run: Run, machine: Machine, grant: str, make: int, look: int, change: int
) -> None:
    """Who may make, see and change a set, and for whom it does not exist."""
    async with run(**machine.services()) as steward:
        made = await protect(steward, machine.archive)
        caller = steward.as_("someone", grant)
        url = f"{SETS}/{made['id']}"
        body: dict[str, Any] = {"path": made["path"], "repository": made["repository"]}
        assert (await caller.get(url)).status_code == look
        assert len((await caller.get(SETS)).json()["items"]) == (1 if look == 200 else 0)
        assert (await caller.put(url, json=body, headers={"If-Match": '"1"'})).status_code == change
        other = set_of(made["system_id"], machine.archive, scope="config")
        assert (await caller.post(SETS, json=other)).status_code == make
