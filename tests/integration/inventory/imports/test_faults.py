"""Imports whose process dies, that meet each other or never end: nothing half, nothing twice, nothing for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from services.inventory.__main__ import build
from services.inventory.imports import package
from services.inventory.imports.domain import MOST_ATTEMPTS
from services.inventory.imports.handlers import run_next
from services.inventory.settings import InventorySettings
from shared.database import Pool, is_transient
from shared.service import Service
from tests.harness import Harness
from tests.integration.conftest import Run
from tests.integration.inventory.conftest import SITES
from tests.integration.inventory.imports.taking import IMPORTS, counts, rows_of, send

COMPONENTS = "/inventory/v1/components"
KILL = """SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
          WHERE locktype = 'advisory' AND granted AND state = 'idle in transaction' AND pid <> pg_backend_pid()"""
ROWS = 7
BATCHES = 4


def build_idle(pool: Pool, settings: InventorySettings) -> Service:
    """Inventory that imports nothing by itself."""
    return replace(build(pool, settings), work={})


@pytest.fixture
async def idle(run: Run, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harness]:
    """Inventory in which the test carries imports out, two rows at a time."""
    monkeypatch.setattr(package, "BATCH", 2)
    async with run(inventory=(build_idle, InventorySettings, {})) as steward:
        for site in SITES:
            assert (await steward.admin.post("/inventory/v1/sites", json=site)).status_code == 201
        yield steward


def sheet(mark: object) -> str:
    """A server with drives in it, whose serial numbers have a mark."""
    lines = ["site,type,name,manufacturer,serial,installed_in", f"north,server,Server {mark},H,S-{mark},"]
    lines += [f"north,drive,Bay {bay},H,D-{mark}-{bay},S-{mark}" for bay in range(1, ROWS)]
    return "\n".join(lines)


async def asked(steward: Harness, content: str, **form: str) -> str:
    """The id of an import that waits."""
    answer = await send(steward.admin, content, "components", **form)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def told(steward: Harness, import_id: str) -> dict[str, Any]:
    """How an import stands."""
    answer: dict[str, Any] = (await steward.admin.get(f"{IMPORTS}/{import_id}")).json()
    return answer


async def serials(steward: Harness) -> set[str]:
    """The serial numbers of all components."""
    page = (await steward.admin.get(COMPONENTS, params={"limit": 500})).json()
    return {item["serial"] for item in page["items"]}


def cut_at(pool: Pool, batch: int) -> Callable[[int], Awaitable[None]]:
    """Cuts the connection over which an import changes things, before it puts that batch."""

    async def watch(number: int) -> None:
        if number == batch:
            assert await pool.fetchval(KILL)

    return watch


async def test_an_import_that_dies_at_any_batch_leaves_nothing_and_starts_over(idle: Harness) -> None:
    """Whichever batch it was at; afterwards each row has come once, and the report is that of the last attempt."""
    pool = idle.pools["inventory"]
    for batch in range(1, BATCHES + 1):
        before = await serials(idle)
        import_id = await asked(idle, sheet(batch))
        with pytest.raises(Exception) as died:
            await run_next(pool, watch=cut_at(pool, batch))
        assert is_transient(died.value), repr(died.value)
        assert await serials(idle) == before
        assert (await told(idle, import_id))["state"] == "running"
        assert await run_next(pool)
        ended = await told(idle, import_id)
        assert (ended["state"], counts(ended)) == ("done", (ROWS, 0, 0, 0))
        assert len(await rows_of(idle.admin, import_id)) == ROWS
        assert len(await serials(idle)) == len(before) + ROWS
    events = await pool.fetchval("SELECT count(*) FROM revisions WHERE kind = 'component'")
    assert events == BATCHES * ROWS


async def test_a_worker_that_is_stopped_gives_its_place_back(idle: Harness) -> None:
    """A task that is cancelled in the middle, as at the end of a process, leaves the job to the next one."""
    pool = idle.pools["inventory"]
    import_id = await asked(idle, sheet("x"))
    reached = asyncio.Event()

    async def stay(number: int) -> None:
        if number == 3:
            reached.set()
            await asyncio.Event().wait()

    worker = asyncio.create_task(run_next(pool, watch=stay))
    await reached.wait()
    assert not await run_next(pool)
    half = await told(idle, import_id)
    assert (half["state"], half["rows_read"], half["rows_expected"]) == ("running", 4, ROWS)
    assert await serials(idle) == set()
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert await run_next(pool)
    assert counts(await told(idle, import_id)) == (ROWS, 0, 0, 0)


async def test_two_files_at_once_are_taken_one_after_the_other(idle: Harness) -> None:
    """The second of two that say the same finds everything as it is, whoever carries them out."""
    pool = idle.pools["inventory"]
    first, second = await asked(idle, sheet("x")), await asked(idle, sheet("x"))
    while not all(state == "done" for state in [(await told(idle, one))["state"] for one in (first, second)]):
        await asyncio.gather(run_next(pool), run_next(pool), run_next(pool))
    assert counts(await told(idle, first)) == (ROWS, 0, 0, 0)
    assert counts(await told(idle, second)) == (0, 0, ROWS, 0)


async def test_an_import_that_kills_whoever_carries_it_out_is_given_up(idle: Harness) -> None:
    """After some attempts, with nothing changed; the next one has its turn."""
    pool = idle.pools["inventory"]
    deadly = await asked(idle, sheet("x"))
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(Exception):  # noqa: B017 -- the driver has several for a lost connection
            await run_next(pool, watch=cut_at(pool, 2))
    assert await run_next(pool)
    ended = await told(idle, deadly)
    assert (ended["state"], ended["applied"]) == ("failed", False)
    assert f"begun {MOST_ATTEMPTS} times" in ended["fault"]
    harmless = await asked(idle, sheet("y"))
    assert await run_next(pool)
    assert (await told(idle, harmless))["applied"]


async def test_what_others_change_meanwhile_stays(idle: Harness) -> None:
    """What somebody else registers while a file is read is found, and not made twice."""
    pool = idle.pools["inventory"]
    import_id = await asked(idle, sheet("x"))
    drive = {"site_id": "north", "type": "drive", "name": "Bay 5", "manufacturer": "H", "serial": "d x 5"}

    async def register(number: int) -> None:
        if number == 2:
            assert (await idle.admin.post(COMPONENTS, json=drive)).status_code == 201

    assert await run_next(pool, watch=register)
    assert counts(await told(idle, import_id)) == (ROWS - 1, 1, 0, 0)


async def test_a_request_that_is_repeated_by_its_key_makes_one_import(idle: Harness) -> None:
    """And the same key with another file is refused."""
    key = {"Idempotency-Key": "one"}
    form = {"kind": "components", "site_id": "group"}
    answers = [
        await idle.admin.post(IMPORTS, data=form, files={"file": ("a.csv", text.encode())}, headers=key)
        for text in (sheet("x"), sheet("x"), sheet("y"))
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 422]
    assert answers[0].json()["id"] == answers[1].json()["id"]
