"""What was exported comes back in a Steward that knows nothing, under the ids that it had."""

import csv
import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import httpx
import pytest

from services.inventory.__main__ import build
from services.inventory.exports.columns import ONLY_TOLD
from services.inventory.settings import InventorySettings
from services.up.postgres import EmbeddedPostgres
from shared.bus.postgres import PostgresBus
from tests.conftest import execute
from tests.harness import Harness, running
from tests.integration.conftest import login, settings_for
from tests.integration.inventory.exports.test_exports import EXPORTS, V1, furnish, post
from tests.integration.inventory.imports.taking import counts, over, rows_of, send

NewSteward = Callable[[], AbstractAsyncContextManager[Harness]]


@pytest.fixture
def fresh(postgres: EmbeddedPostgres, database_template: str, tmp_path: Path) -> NewSteward:
    """Another inventory, in which there is nothing."""

    @asynccontextmanager
    async def start() -> AsyncIterator[Harness]:
        name = f"test_{uuid4().hex}"
        await execute(postgres.dsn(), f"CREATE DATABASE {name} TEMPLATE {database_template} STRATEGY FILE_COPY")
        bus = PostgresBus(login(postgres.dsn(name), "steward_bus"))
        try:
            settings = settings_for(InventorySettings, "inventory", postgres.dsn(name), tmp_path)
            builds = {"inventory": lambda pool: build(pool, settings)}
            async with running(builds, {"inventory": settings}, bus, tmp_path) as steward:
                yield steward
        finally:
            await bus.close()
            await execute(postgres.dsn(), f"DROP DATABASE {name} WITH (FORCE)")

    return start


async def exported(client: httpx.AsyncClient) -> bytes:
    """All that there is, as one file."""
    return (await client.get(f"{EXPORTS}/all")).content


def sheets(packed: bytes) -> dict[str, list[dict[str, str]]]:
    """The rows of each kind."""
    with ZipFile(io.BytesIO(packed)) as archive:
        texts = {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()}
    return {name.removesuffix(".csv"): list(csv.DictReader(io.StringIO(text))) for name, text in texts.items()}


async def restored(there: Harness, packed: bytes, **form: str) -> dict[str, Any]:
    """What became of a file that brings everything back."""
    async with there.admin as admin:
        return await over(there, admin, await send(admin, packed, "all", format="zip", restore="true", **form))


async def build_upside_down(steward: Harness) -> None:
    """Things that were made before those that they refer to now."""
    async with steward.admin as admin:
        inner, outer = await post(admin, "groups", name="Inner"), await post(admin, "groups", name="Outer")
        moved = {"name": "Inner", "parent_id": outer["id"]}
        assert (await admin.put(f"{V1}/groups/{inner['id']}", json=moved, headers={"If-Match": '"1"'})).is_success
        kept = {"site_id": "north", "name": "Lone drive", "type": "drive"}
        drive = await post(admin, "components", **kept)
        array = await post(admin, "components", site_id="north", type="array", name="Later array")
        installed = {"name": "Lone drive", "installed_in": array["id"]}
        answer = await admin.put(f"{V1}/components/{drive['id']}", json=installed, headers={"If-Match": '"1"'})
        assert answer.is_success, answer.text


async def test_a_fresh_steward_gets_everything_back_under_its_ids(steward: Harness, fresh: NewSteward) -> None:
    """Every row of every kind but documents is the same there, whatever was made first; again, nothing changes."""
    await furnish(steward)
    await build_upside_down(steward)
    async with steward.admin as admin:
        packed = await exported(admin)
    async with fresh() as there, there.admin as admin:
        looked = await restored(there, packed, dry_run="true")
        assert (looked["refused"], looked["applied"]) == (0, False), await rows_of(admin, looked["id"])
        ended = await restored(there, packed)
        assert (ended["state"], ended["refused"]) == ("done", 0), await rows_of(admin, ended["id"])
        before, after = sheets(packed), sheets(await exported(admin))
        assert {kind: after.pop(kind) for kind in ONLY_TOLD} == {kind: [] for kind in ONLY_TOLD}
        before = {kind: before[kind] for kind in after}
        assert all(before.values())
        for row in before["components"]:
            row["state"] = {"retiring": "in_service"}.get(row["state"], row["state"])
        assert after == before
        again = await restored(there, packed)
        assert counts(again) == (0, 0, ended["rows_read"], 0)


async def test_without_saying_so_nothing_is_made_under_an_id(steward: Harness, fresh: NewSteward) -> None:
    """A row that names a thing by an id which is not there is refused, as in any other list."""
    await furnish(steward)
    async with steward.admin as admin:
        packed = await exported(admin)
    async with fresh() as there, there.admin as admin:
        ended = await over(there, admin, await send(admin, packed, "all", format="zip"))
        assert (ended["state"], ended["created"] > 0, ended["refused"] > 0) == ("failed", True, True)
        assert not (await admin.get(f"{V1}/systems")).json()["items"]


async def test_what_has_left_service_does_not_come_back_by_a_list(steward: Harness, fresh: NewSteward) -> None:
    """A list proves no step of a life: what was under way begins again, what is past service is refused by its row."""
    async with steward.admin as admin:
        software = {"vendor": "V", "product": "P", "version": "1"}
        await post(admin, "systems", site_id="north", name="Running", software=software)
        packed = await exported(admin)
    for state, expected in (("degraded", "in_service"), ("staged", "proposed"), ("isolated", None), ("closed", None)):
        async with fresh() as there, there.admin as admin:
            ended = await restored(there, retold(packed, "systems", state=state), errors="skip")
            found = (await admin.get(f"{V1}/systems")).json()["items"]
            assert [one["state"] for one in found] == ([expected] if expected else [])
            rows = await rows_of(admin, ended["id"], what="refused")
            assert [row["faults"][0]["field"] for row in rows] == ([] if expected else ["state"])


async def test_only_who_administers_the_whole_group_restores(steward: Harness) -> None:
    """Who may do everything at one site chooses no ids."""
    packed = await exported(steward.admin)
    async with steward.as_("sam", "site-admin:north", "operator:north") as sam:
        for form in ({"site_id": "north"}, {}):
            answer = await send(sam, packed, "all", format="zip", restore="true", **form)
            assert answer.status_code == 403


async def test_the_id_of_another_thing_is_nobody_elses(steward: Harness) -> None:
    """A row whose id is that of an asset of another kind is refused, and so is one that is no id at all."""
    ids = await furnish(steward)
    line = "id,site,type,name\n{},north,drive,New one"
    async with steward.admin as admin:
        for told in (ids["system"], "not-an-id"):
            sent = await send(admin, line.format(told), "components", restore="true")
            ended = await over(steward, admin, sent)
            assert counts(ended) == (0, 0, 0, 1), told
        for told in (ids["drive"], "not-an-id"):
            text = f"id,site,name,vendor,product,version\n{told},north,New one,V,P,1"
            ended = await over(steward, admin, await send(admin, text, "systems", restore="true"))
            assert counts(ended) == (0, 0, 0, 1), told


def retold(packed: bytes, kind: str, **cells: str) -> bytes:
    """The same file with other cells in the rows of a kind."""
    out = io.BytesIO()
    with ZipFile(io.BytesIO(packed)) as archive, ZipFile(out, "w") as other:
        for name in archive.namelist():
            text = archive.read(name).decode("utf-8-sig")
            if name == f"{kind}.csv":
                rows = list(csv.DictReader(io.StringIO(text)))
                file = io.StringIO(newline="")
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows([row | cells for row in rows])
                text = file.getvalue()
            other.writestr(name, text)
    return out.getvalue()
