"""What was changed, how things stood, and how two times or two systems differ."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.harness import Harness
from tests.integration.inventory.components.parts import change, install
from tests.integration.inventory.requests import SOFTWARE, SYSTEMS, check_malformed, register_node, register_system

INVENTORY = "/inventory/v1"


async def ask(steward: Harness, path: str, **query: str) -> Any:
    """What the administrator is answered."""
    answer = await steward.admin.get(f"{INVENTORY}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def now() -> str:
    """This moment."""
    return datetime.now(UTC).isoformat()


async def test_a_change_is_kept_with_who_why_before_and_after(steward: Harness) -> None:
    """The reason is the request's, in any script; the fields that differ are named by their paths."""
    system = await register_system(steward)
    body = {"name": system["name"], "software": SOFTWARE | {"version": "5.3.0"}}
    headers = {b"If-Match": b'"1"', b"Change-Reason": "Störung behoben, 修补".encode()}
    answer = await steward.as_("eva", "operator:north").put(f"{SYSTEMS}/{system['id']}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    made, changed = (await ask(steward, "history", thing_id=system["id"]))["items"]
    assert (made["before"], made["after"]["version"], made["reason"]) == (None, 1, None)
    assert (changed["actor"], changed["reason"], changed["kind"]) == ("eva", "Störung behoben, 修补", "system")
    assert changed["changes"] == [{"path": "software.version", "before": "5.2.1", "after": "5.3.0"}]
    assert (changed["before"], changed["after"]) == (made["after"], answer.json())
    first = await ask(steward, "history", thing_id=system["id"], newest_first="true", limit="1")
    rest = await ask(steward, "history", thing_id=system["id"], newest_first="true", cursor=first["next"])
    assert first["items"] + rest["items"] == [changed, made]


@pytest.mark.parametrize("reason", [b"\xff\xfe", b"   ", b"x" * 201])
async def test_a_reason_that_nobody_can_read_is_refused(steward: Harness, reason: bytes) -> None:
    """Nothing is changed."""
    answer = await steward.admin.post(
        SYSTEMS, json={"site_id": "north", "name": "A", "software": SOFTWARE}, headers={b"Change-Reason": reason}
    )
    check_malformed(answer, "Change-Reason")
    assert (await steward.admin.get(SYSTEMS)).json()["items"] == []


async def test_a_snapshot_shows_each_thing_as_it_stood(steward: Harness) -> None:
    """Before it was there it is missing; then it is as it was, page by page."""
    before = now()
    drive = await install(steward, "drive", name="Drive 1")
    between = now()
    await change(steward, drive, name="Drive one")
    await install(steward, "drive", site_id="south")
    stood = [await ask(steward, "snapshot", at=at, kind="component") for at in (before, between, now())]
    assert [[one["state"]["name"] for one in page["items"]] for page in stood] == [
        [],
        ["Drive 1"],
        ["Drive one", "A drive"],
    ]
    first = await ask(steward, "snapshot", at=now(), kind="component", limit="1")
    rest = await ask(steward, "snapshot", at=now(), kind="component", limit="1", cursor=first["next"])
    assert (first["items"] + rest["items"], rest["next"]) == (stood[2]["items"], None)
    check_malformed(await steward.admin.get(f"{INVENTORY}/snapshot", params={"at": now(), "cursor": "x"}), "cursor")


async def test_two_times_differ_in_what_was_not_taken_back(steward: Harness) -> None:
    """Added, changed; what is as it was at both times is left out."""
    kept = await install(steward, "drive", name="Kept")
    renamed = await install(steward, "drive", name="Old name")
    since = now()
    back = await change(steward, await change(steward, kept, name="For a moment"), name="Kept")
    await change(steward, renamed, name="New name")
    added = await install(steward, "drive", name="New")
    found = (await ask(steward, "diff", since=since, until=now()))["items"]
    assert back["version"] == 3
    assert {one["after_id"]: one["what"] for one in found} == {renamed["id"]: "changed", added["id"]: "added"}
    [moved] = [one["changes"] for one in found if one["what"] == "changed"]
    assert moved == [{"path": "name", "before": "Old name", "after": "New name"}]
    wrong = await steward.admin.get(f"{INVENTORY}/diff", params={"since": now(), "until": since})
    check_malformed(wrong, "until")


@pytest.mark.seed("72")
@pytest.mark.seed("79")
async def test_staging_is_compared_with_production_as_of_any_time(steward: Harness) -> None:
    """Only what should be equal counts: another version, a missing node; not serial numbers or addresses."""
    production = await register_system(steward)
    staging = await register_system(
        steward, name="Staging", environment="staging", mirrors=production["id"], software=SOFTWARE | {"version": "6"}
    )
    await register_node(steward, production)
    await register_node(steward, staging, ae_title="STAGING", host="127.0.0.2", name="Storage")
    await install(steward, "server", system_id=production["id"], name="Server", model="R7", serial="1")
    await install(steward, "server", system_id=staging["id"], name="Server S", model="R7", serial="2")
    same_then = now()
    await register_node(steward, production, ae_title="CT1", host="127.0.0.3", role="modality", name="CT 1")
    told = await ask(steward, "comparison", before=production["id"], after=staging["id"])
    by_kind = {one["kind"]: one for one in told["differences"]}
    assert by_kind["system"]["changes"] == [{"path": "software.version", "before": "5.2.1", "after": "6"}]
    assert (by_kind["node"]["name"], by_kind["node"]["what"]) == ("CT 1", "removed")
    assert set(by_kind) == {"system", "node"}
    assert {"serial", "host"} <= set(told["ignored"])
    earlier = await ask(steward, "comparison", before=production["id"], after=staging["id"], at=same_then)
    assert [one["kind"] for one in earlier["differences"]] == ["system"]


async def parts_that_differ(steward: Harness, before: str, after: str, **query: str) -> list[tuple[str | None, str]]:
    """Name and difference of each component that one system has and another has not, or not so."""
    told = await ask(steward, "comparison", before=before, after=after, **query)
    return [(one["name"], one["what"]) for one in told["differences"] if one["kind"] == "component"]


async def test_parts_of_parts_are_compared(steward: Harness) -> None:
    """What is installed in something of a system is of that system, however deep, as of any time."""
    systems = [(await register_system(steward, name=name))["id"] for name in ("Archive", "Second archive")]
    for system in systems:
        server = await install(steward, "server", system_id=system, name="Server")
        array = await install(steward, "array", name="Array", installed_in=server["id"])
        await install(steward, "drive", name="Drive 1", installed_in=array["id"])
    before = now()
    drive = await install(steward, "drive", name="Drive 2", installed_in=array["id"])
    between = now()
    await change(steward, drive, installed_in=None)
    for at, found in ((before, []), (between, [("Drive 2", "added")]), (now(), [])):
        assert await parts_that_differ(steward, *systems, at=at) == found
    assert await parts_that_differ(steward, *reversed(systems), at=between) == [("Drive 2", "removed")]


async def test_guest_in_a_server_is_of_its_own_system(steward: Harness) -> None:
    """With what is in it, whoever owns the server around it."""
    host, guests = [(await register_system(steward, name=name))["id"] for name in ("Host", "Guests")]
    server = await install(steward, "server", system_id=host, name="Server")
    await install(steward, "server", system_id=guests, name="Server")
    guest = await install(steward, "server", system_id=guests, name="Guest", installed_in=server["id"])
    await install(steward, "software", name="Viewer", installed_in=guest["id"])
    assert await parts_that_differ(steward, host, guests) == [("Guest", "added"), ("Viewer", "added")]


async def test_what_other_sites_do_is_not_shown(steward: Harness) -> None:
    """Neither as a change, nor in a snapshot, a diff or a comparison; what the group shares is."""
    since = now()
    north = await register_system(steward)
    south = await register_system(steward, site_id="south", name="South archive")
    await steward.admin.post(f"{INVENTORY}/vendors", json={"name": "Voltara"})
    async with steward.as_("bob", "viewer:south") as bob:
        for path, query in (("history", {}), ("snapshot", {"at": now()}), ("diff", {"since": since, "until": now()})):
            answer = await bob.get(f"{INVENTORY}/{path}", params=query)
            assert "North archive" not in answer.text, path
            assert "South archive" in answer.text, path
            assert "Voltara" in answer.text, path
        pair = {"before": south["id"], "after": north["id"]}
        assert (await bob.get(f"{INVENTORY}/comparison", params=pair)).status_code == 404
    node = await register_node(steward, north)
    pair = {"before": north["id"], "after": node["id"]}
    assert (await steward.admin.get(f"{INVENTORY}/comparison", params=pair)).status_code == 404
