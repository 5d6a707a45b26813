"""Files are taken in over REST: as a whole or not at all, once however often sent, and with a report by row."""

from tests.harness import Harness
from tests.integration.inventory.imports.taking import counts, over, rows_of, send, taken

COMPONENTS = "/inventory/v1/components"
SHEET = """site,type,name,manufacturer,model,serial,installed_in,purchase_date
north,server,Archive server 1,Halden,H2,HS-1,,2024-05-14
north,drive,Bay 1,Seaquest,SQ 18,SQ-1,HS-1,2024-05-14
south,ups,UPS,Voltara,V9,VO-1,,2024-05-14
"""


async def test_a_file_is_taken_in_once(steward: Harness) -> None:
    """What it says is there, with the reason in history; sent again it changes nothing and says so."""
    first = await taken(steward, SHEET, "components")
    assert (first["state"], first["applied"], counts(first)) == ("done", True, (3, 0, 0, 0))
    again = await taken(steward, SHEET, "components")
    assert (again["state"], counts(again)) == ("done", (0, 0, 3, 0))
    items = (await steward.admin.get(COMPONENTS)).json()["items"]
    server, drive, _ = sorted(items, key=lambda one: str(one["serial"]))[0:3]
    assert {one["version"] for one in items} == {1}
    assert drive["installed_in"] == server["id"]


async def test_a_dry_run_shows_everything_and_changes_nothing(steward: Harness) -> None:
    """Each new thing with its facts, each change with before and after, each fault with its line."""
    await taken(steward, SHEET, "components")
    changed = SHEET.replace("V9", "V10") + "north,drive,Bay 2,Seaquest,SQ 18,SQ-2,HS-1,2199-01-01\n"
    changed += "north,switch,Core switch,Orsted,O1,OR-1,,2024-05-14\n"
    ended = await taken(steward, changed, "components", dry_run="true")
    assert (ended["state"], ended["applied"], counts(ended)) == ("done", False, (1, 1, 2, 1))
    async with steward.admin as admin:
        rows = await rows_of(admin, ended["id"])
        assert [(row["place"], row["what"]) for row in rows] == [
            ("line 4", "changed"),
            ("line 5", "refused"),
            ("line 6", "created"),
        ]
        assert rows[0]["changes"] == [{"path": "model", "before": "V9", "after": "V10"}]
        assert rows[1]["faults"][0]["field"] == "purchase_date"
        assert {"path": "serial", "before": None, "after": "OR-1"} in rows[2]["changes"]
        assert [row["place"] for row in await rows_of(admin, ended["id"], what="refused")] == ["line 5"]
        assert len((await admin.get(COMPONENTS)).json()["items"]) == 3


async def test_a_refused_row_stops_the_file_or_only_itself(steward: Harness) -> None:
    """As was asked for."""
    spoilt = SHEET + "north,drive,Bay 2,Seaquest,SQ 18,SQ-2,HS-9,2024-05-14\n"
    refused = await taken(steward, spoilt, "components")
    assert (refused["state"], refused["applied"], refused["refused"]) == ("failed", False, 1)
    assert "1 of 4 rows" in refused["fault"]
    assert (await steward.admin.get(COMPONENTS)).json()["items"] == []
    skipped = await taken(steward, spoilt, "components", errors="skip")
    assert (skipped["state"], skipped["applied"], counts(skipped)) == ("done", True, (3, 0, 0, 1))
    assert len((await steward.admin.get(COMPONENTS)).json()["items"]) == 3


async def test_who_has_one_site_changes_that_site_only(steward: Harness) -> None:
    """Rows of others are refused as if those were not there, and the report is not shown to those of others."""
    async with steward.as_("nora", "operator:north") as nora, steward.as_("sam", "operator:south") as sam:
        ended = await over(steward, nora, await send(nora, SHEET, "components", errors="skip"))
        assert counts(ended) == (2, 0, 0, 1)
        [row] = await rows_of(nora, ended["id"], what="refused")
        assert row["faults"][0]["rule"] == "no site south"
        assert (await sam.get(f"/inventory/v1/imports/{ended['id']}")).status_code == 404
        assert (await sam.get("/inventory/v1/imports")).json()["items"] == []
        assert (await send(sam, SHEET, "components", site_id="north")).status_code == 404
        mine = await over(steward, nora, await send(nora, SHEET, "components", site_id="north", errors="skip"))
        assert counts(mine) == (0, 0, 2, 1)
        async with steward.as_("vera", "viewer:north") as vera:
            assert (await vera.get(f"/inventory/v1/imports/{mine['id']}")).status_code == 200
            assert (await send(vera, SHEET, "components")).status_code == 403
