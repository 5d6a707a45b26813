"""Links over HTTP: circles, cables, sites, and what falls when something falls."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.inventory.assets.handlers import lock_asset
from services.inventory.links.domain import LinkDraft
from services.inventory.links.handlers import create_link, dependents
from shared.grants import Caller, Grant
from shared.transactions import begin
from tests.harness import Harness
from tests.integration.inventory.requests import (
    ASSETS,
    NOBODY,
    check_malformed,
    move,
    post,
    register_node,
    register_system,
)

LINKS = "/inventory/v1/links"
BULK = f"{LINKS}/bulk"


async def fleet(steward: Harness, *names: str, **changes: Any) -> dict[str, str]:
    """Systems at site north by name: their ids."""
    return {name: (await register_system(steward, name=name, **changes))["id"] for name in names}


def link(origin: str, end: str, kind: str = "depends_on", **more: Any) -> dict[str, Any]:
    """The body of a link."""
    return {"kind": kind, "from_id": origin, "to_id": end, **more}


async def test_link_is_published_and_shown_at_both_ends(steward: Harness) -> None:
    """link.changed carries its full state, and the same with ``deleted`` when it is taken away."""
    ids = await fleet(steward, "archive", "database")
    answer = await steward.as_("alice", "operator:north").post(LINKS, json=link(ids["archive"], ids["database"]))
    made = answer.json()
    assert (answer.status_code, answer.headers["etag"], made["site_id"]) == (201, '"1"', "north")
    event = await steward.heard.until("link.changed")
    assert (event.subject, event.site_id, event.actor) == (made["id"], "north", "alice")
    told = event.data
    assert (told.from_id, told.to_id, told.to_site_id) == (ids["archive"], ids["database"], "north")
    assert not told.deleted
    for asset_id in ids.values():
        assert (await steward.admin.get(f"{ASSETS}/{asset_id}/links")).json()["items"] == [made]
    url = f"{LINKS}/{made['id']}"
    assert (await steward.admin.get(url)).json() == made
    assert (await steward.admin.delete(url)).status_code == 428
    assert (await steward.admin.delete(url, headers={"If-Match": '"2"'})).status_code == 412
    assert (await steward.admin.delete(url, headers={"If-Match": '"1"'})).json() == made
    assert (await steward.admin.delete(url, headers={"If-Match": '"1"'})).status_code == 404
    gone = await steward.heard.until("link.changed", lambda event: event.data.deleted)
    assert gone.subject == made["id"]
    assert (await steward.admin.get(LINKS)).json()["items"] == []


async def test_a_circle_is_refused_with_its_path(steward: Harness) -> None:
    """Whatever needs each other: what depends on and what is powered by count together."""
    ids = await fleet(steward, "viewer", "archive", "database")
    await post(steward, LINKS, link(ids["viewer"], ids["archive"]))
    await post(steward, LINKS, link(ids["archive"], ids["database"], "powered_by"))
    refused = await steward.admin.post(LINKS, json=link(ids["database"], ids["viewer"]))
    assert refused.status_code == 409
    assert "viewer → archive → database → viewer" in refused.json()["detail"]
    assert refused.json()["path"] == ["viewer", "archive", "database"]
    check_malformed(await steward.admin.post(LINKS, json=link(ids["viewer"], ids["viewer"])), "to_id")
    await post(steward, LINKS, link(ids["database"], ids["viewer"], "backs_up_to"))


async def test_of_two_links_that_would_close_a_circle_together_one_wins(steward: Harness) -> None:
    """However closely they come."""
    for attempt in range(8):
        ids = await fleet(steward, f"one {attempt}", f"other {attempt}")
        one, other = ids.values()
        answers = await asyncio.gather(
            steward.admin.post(LINKS, json=link(one, other)), steward.admin.post(LINKS, json=link(other, one))
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_of_two_cables_for_one_port_one_wins(steward: Harness) -> None:
    """A port takes one cable, whichever end of the cable it is."""
    ids = await fleet(steward, "switch", "server", "spare")
    cable = {"from_port": "eth0", "to_port": "Gi1/0/1", "label": "N-1", "length_m": 2.5}
    answers = await asyncio.gather(
        steward.admin.post(LINKS, json=link(ids["server"], ids["switch"], "connected_to", cable=cable)),
        steward.admin.post(LINKS, json=link(ids["spare"], ids["switch"], "connected_to", cable=cable)),
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    back = {"from_port": "Gi1/0/1", "to_port": "eth9"}
    turned = await steward.admin.post(LINKS, json=link(ids["switch"], ids["server"], "connected_to", cable=back))
    assert (turned.status_code, turned.json()["detail"]) == (409, "port Gi1/0/1 of switch has a cable already")
    [made] = (await steward.admin.get(LINKS)).json()["items"]
    await steward.admin.delete(f"{LINKS}/{made['id']}", headers={"If-Match": '"1"'})
    assert (
        await steward.admin.post(LINKS, json=link(ids["switch"], ids["server"], "connected_to", cable=back))
    ).status_code == 201


async def test_links_stay_within_a_site_but_for_replicas(steward: Harness) -> None:
    """Another site's asset reads as absent; only who sees both ends sees a link between two sites."""
    north, south = await register_system(steward), await register_system(steward, site_id="south")
    for kind in ("depends_on", "connected_to", "backs_up_to", "mirrors"):
        refused = await steward.admin.post(LINKS, json=link(north["id"], south["id"], kind))
        assert refused.status_code == 404, kind
    replica = await post(steward, LINKS, link(north["id"], south["id"], "replicates_to"))
    for grants, status in ((("viewer:north",), 404), (("viewer:south",), 404), (("viewer:north", "viewer:south"), 200)):
        client = steward.as_("eve", *grants)
        assert (await client.get(f"{LINKS}/{replica['id']}")).status_code == status
        assert len((await client.get(LINKS)).json()["items"]) == (status == 200)
    told = await steward.as_("eve", "viewer:north").get("/inventory/v1/history", params={"thing_id": replica["id"]})
    assert len(told.json()["items"]) == 1
    assert "south" not in told.text
    assert south["id"] not in told.text
    event = await steward.heard.until("link.changed")
    assert (event.site_id, event.data.to_site_id, event.data.to_id) == ("north", "another site", south["id"])
    operator = steward.as_("olga", "operator:north")
    refused = await operator.post(LINKS, json=link(north["id"], south["id"], "fails_over_to"))
    assert (refused.status_code, refused.json()["detail"]) == (404, f"no asset {south['id']}")
    both = steward.as_("olga", "operator:north", "viewer:south")
    assert (await both.post(LINKS, json=link(north["id"], south["id"], "fails_over_to"))).status_code == 201
    assert (await both.post(LINKS, json=link(south["id"], north["id"], "fails_over_to"))).status_code == 403


async def test_dicom_joins_nodes_and_names_services(steward: Harness) -> None:
    """From one application entity to another; each service once."""
    system = await register_system(steward)
    scanner = await register_node(steward, system, name="CT", ae_title="CT1", role="modality")
    archive = await register_node(steward, system)
    made = await post(
        steward, LINKS, link(scanner["id"], archive["id"], "dicom", services=["storage", "query", "storage"])
    )
    assert made["services"] == ["query", "storage"]
    faults = [
        ("services", link(archive["id"], scanner["id"], "dicom")),
        ("services", link(archive["id"], scanner["id"], services=["storage"])),
        ("services.0", link(archive["id"], scanner["id"], "dicom", services=["fax"])),
        ("kind", link(archive["id"], system["id"], "dicom", services=["storage"])),
        ("cable", link(archive["id"], scanner["id"], cable={})),
        ("cable.length_m", link(archive["id"], scanner["id"], "connected_to", cable={"length_m": -1})),
        ("kind", link(archive["id"], scanner["id"], "loves")),
        ("from_id", link("x", scanner["id"])),
    ]
    for field, body in faults:
        check_malformed(await steward.admin.post(LINKS, json=body), field)
    again = await steward.admin.post(LINKS, json=link(scanner["id"], archive["id"], "dicom", services=["print"]))
    assert (again.status_code, again.json()["link_id"]) == (409, made["id"])


async def test_impact_names_all_that_falls_with_its_distance(steward: Harness) -> None:
    """Over every way, each once with the shortest; nodes fall with their system; what has ended does not count."""
    ids = await fleet(steward, "ups", "switch", "archive", "viewer", "island")
    await post(steward, LINKS, link(ids["switch"], ids["ups"], "powered_by"))
    await post(steward, LINKS, link(ids["archive"], ids["switch"]))
    await post(steward, LINKS, link(ids["archive"], ids["ups"], "powered_by"))
    await post(steward, LINKS, link(ids["viewer"], ids["archive"]))
    await post(steward, LINKS, link(ids["ups"], ids["island"], "backs_up_to"))
    node = await register_node(steward, {"id": ids["archive"]}, name="archive node")
    impact = (await steward.admin.get(f"{ASSETS}/{ids['ups']}/impact")).json()
    assert [(one["name"], one["distance"], one["via"]) for one in impact["affected"]] == [
        ("archive", 1, "powered_by"),
        ("switch", 1, "powered_by"),
        ("archive node", 2, "belongs_to"),
        ("viewer", 2, "depends_on"),
    ]
    assert (impact["complete"], impact["affected"][2]["id"]) == (True, node["id"])
    async with steward.pools["inventory"].acquire() as conn:
        assert [one.name for one in await dependents(conn, ids["ups"])] == ["archive", "switch"]
        assert [one.name for one in await dependents(conn, ids["ups"], transitive=True)] == [
            "archive",
            "switch",
            "viewer",
        ]
        await conn.execute("UPDATE assets SET state = 'closed' WHERE id = $1", ids["archive"])
        assert [one.name for one in await dependents(conn, ids["ups"], transitive=True)] == ["switch"]
    south = steward.as_("bob", "viewer:south")
    for path in ("links", "impact"):
        assert (await south.get(f"{ASSETS}/{ids['ups']}/{path}")).status_code == 404


async def test_impact_is_bounded_even_where_the_database_has_a_circle(steward: Harness) -> None:
    """It ends, names everything once, and says when there is more than it shows."""
    names = [f"asset {number:02}" for number in range(40)]
    ids = list((await fleet(steward, *names)).values())
    rows = [link(origin, end) for origin, end in zip(ids[1:], ids, strict=False)]
    assert (await steward.admin.post(BULK, json={"rows": rows})).json()["created"] == 39
    impact = (await steward.admin.get(f"{ASSETS}/{ids[0]}/impact")).json()
    assert (len(impact["affected"]), impact["complete"]) == (32, False)
    await steward.pools["inventory"].execute("UPDATE links SET to_id = $1 WHERE from_id = $2", ids[5], ids[1])
    impact = (await steward.admin.get(f"{ASSETS}/{ids[5]}/impact")).json()
    assert len({one["id"] for one in impact["affected"]}) == len(impact["affected"])


async def test_bulk_answers_for_each_row(steward: Harness) -> None:
    """A row may build on those before it; with ``atomic`` nothing is made where one is refused."""
    ids = await fleet(steward, "a", "b", "c")
    elsewhere = await register_system(steward, site_id="south")
    rows: list[Any] = [
        link(ids["a"], ids["b"]),
        link(ids["b"], ids["c"]),
        link(ids["c"], ids["a"]),
        link(ids["a"], ids["b"]),
        link(ids["a"], elsewhere["id"], "replicates_to"),
        link(ids["a"], NOBODY),
        {"kind": "depends_on"},
        "no row",
    ]
    olga = steward.as_("olga", "operator:north")
    refused = await olga.post(BULK, params={"atomic": True}, json={"rows": rows})
    assert refused.status_code == 422
    assert [row["index"] for row in refused.json()["rows"]] == [2, 3, 4, 5, 6, 7]
    assert (await olga.get(LINKS)).json()["items"] == []
    result = (await olga.post(BULK, json={"rows": rows})).json()
    assert (result["created"], result["refused"]) == (2, 6)
    statuses = [row["problem"]["status"] if row["problem"] else 201 for row in result["rows"]]
    assert statuses == [201, 201, 409, 409, 404, 404, 422, 422]
    check_malformed(await olga.post(BULK, json={"rows": [{}] * 1001}), "rows")


async def test_what_has_ended_is_linked_no_more(steward: Harness) -> None:
    """409 names it; the links that it had are still shown."""
    ids = await fleet(steward, "wished for", "archive", state="proposed")
    made = await post(steward, LINKS, link(ids["wished for"], ids["archive"]))
    await move(steward, (await steward.admin.get(f"{ASSETS}/{ids['wished for']}")).json(), "cancelled")
    refused = await steward.admin.post(LINKS, json=link(ids["wished for"], ids["archive"], "mirrors"))
    assert (refused.status_code, "is cancelled" in refused.json()["detail"]) == (409, True)
    assert (await steward.admin.get(f"{ASSETS}/{ids['archive']}/links")).json()["items"] == [made]


async def test_nothing_comes_to_need_what_is_isolated(steward: Harness) -> None:
    """From there is only the way to the end; other links, such as where its backups lie, can still be noted."""
    ids = await fleet(steward, "old archive", "reporting")
    change = "UPDATE assets SET state = 'isolated' WHERE id = $1"
    await steward.pools["inventory"].execute(change, ids["old archive"])
    refused = await steward.admin.post(LINKS, json=link(ids["reporting"], ids["old archive"]))
    assert (refused.status_code, refused.json()["detail"]) == (409, "system old archive is isolated")
    await post(steward, LINKS, link(ids["old archive"], ids["reporting"]))
    await post(steward, LINKS, link(ids["reporting"], ids["old archive"], "backs_up_to"))


async def test_of_a_link_and_the_end_of_what_it_needs_one_comes_first(steward: Harness) -> None:
    """A link that is being made holds its ends: who ends one of them meanwhile waits, and then sees the link."""
    ids = await fleet(steward, "old archive", "reporting")
    pool = steward.pools["inventory"]
    async with begin(pool, "inventory") as tx:
        draft = LinkDraft.model_validate(link(ids["reporting"], ids["old archive"]))
        await create_link(tx, draft, Caller("admin", frozenset({Grant("group-admin", "*")})))

        async def needed_once_locked() -> list[str]:
            async with begin(pool, "inventory") as other:
                await lock_asset(other, ids["old archive"], 1)
                return [one.name for one in await dependents(other.conn, ids["old archive"])]

        ending = asyncio.create_task(needed_once_locked())
        while not await tx.conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not ending.done()
    assert await ending == ["reporting"]


EDGES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda ends: ends[0] != ends[1]), max_size=16)


@pytest.fixture
async def five(steward: Harness) -> list[str]:
    """Five systems."""
    return list((await fleet(steward, *"abcde")).values())


def closes(taken: set[tuple[int, int]], origin: int, end: int) -> bool:
    """Whether ``end`` reaches ``origin``: found by walking everywhere."""
    seen: set[int] = set()
    todo = [end]
    while todo:
        at = todo.pop()
        seen.add(at)
        todo += [following for start, following in taken if start == at and following not in seen]
    return origin in seen


async def test_no_accepted_rows_have_a_circle(steward: Harness, five: list[str]) -> None:
    """For random links in random orders, over REST: refused is what would close a circle or is there, and only that."""
    sequences: list[list[tuple[int, int]]] = []

    @settings(max_examples=40, database=None, suppress_health_check=list(HealthCheck))
    @given(EDGES.filter(bool))
    def draw(edges: list[tuple[int, int]]) -> None:
        sequences.append(edges)

    draw()
    for edges in sequences:
        taken: set[tuple[int, int]] = set()
        expected = []
        for origin, end in edges:
            expected.append((origin, end) not in taken and not closes(taken, origin, end))
            if expected[-1]:
                taken.add((origin, end))
        rows = [link(five[origin], five[end], "depends_on") for origin, end in edges]
        result = (await steward.admin.post(BULK, json={"rows": rows})).json()
        assert [row["problem"] is None for row in result["rows"]] == expected, edges
        await steward.pools["inventory"].execute("DELETE FROM links")
