"""Whoever moves a partition may die at any moment: the next one ends in the same state, and nothing is lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.compliance.log.handlers import read_bundle
from services.compliance.log.tiles import Bundle
from shared.database import Pool
from tests.harness import Harness
from tests.integration.compliance.appending.proxy import Cut, Proxy
from tests.integration.compliance.retention.mover import KILLED, Mover
from tests.integration.compliance.retention.old_log import LATER, URL, WIDTH, Aged, ask, index_sums, plan
from tests.integration.conftest import login

AT_LEAST = {"archived": 15, "pruned": 8, "restored": 15}
"""So many statements each step has in any case."""

Dies = Callable[[int], tuple[Mover, Cut | None]]


@pytest.fixture
async def proxy(database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxy]:
    """A way to the database that can be cut."""
    async with Proxy(login(database, "steward_compliance"), tmp_path_factory.mktemp("p")) as proxy:
        yield proxy


@pytest.fixture
def mover(proxy: Proxy, folder: Path) -> Mover:
    """Moves partitions six years from now."""
    return Mover(proxy.dsn, f"file://{folder}", LATER)


async def bundles_of_first(pool: Pool) -> dict[str, bytes]:
    """What the archive of the first partition must hold."""
    async with pool.acquire() as conn:
        return {bundle.path: await read_bundle(conn, bundle) for bundle in map(Bundle, range(WIDTH // 256))}


async def moves(mover: Mover, proxy: Proxy, cut: Cut | None) -> int | None:
    """Lets a process take a step, and kills it at the cut; how it ended."""
    process = mover.start()
    assert process.pid is not None
    if cut is not None:
        pid = process.pid
        cut.act = lambda: os.kill(pid, signal.SIGKILL)
    proxy.cut = cut
    await asyncio.to_thread(process.join)
    return process.exitcode


async def assert_nothing_lost(pool: Pool, folder: Path, due: dict[str, bytes]) -> None:
    """The partition is in the database unless it is whole in the archive."""
    if await pool.fetchval("SELECT to_regclass('chunks_0') IS NULL"):
        assert {path: (folder / path).read_bytes() for path in due} == due
        assert any((folder / "checkpoints").iterdir())


def told(steward: Harness) -> list[str]:
    """What was told of the partition, in its order."""
    return [
        event.type for event in steward.heard.events if event.type in ("log.archived", "log.pruned", "log.restored")
    ]


async def die_until(state: str, dies: Dies, proxy: Proxy, pool: Pool, folder: Path, due: dict[str, bytes]) -> int:
    """Lets one process after the other die a little later, until the partition is in the state; how many died."""
    number = 0
    while await pool.fetchval("SELECT state FROM archives") != state:
        number += 1
        mover, cut = dies(number)
        code = await moves(mover, proxy, cut)
        assert code in (0, KILLED)
        await assert_nothing_lost(pool, folder, due)
    return number - (code == 0)


async def restore(steward: Harness) -> None:
    """Asks for the first partition to be brought back."""
    answer = await steward.admin.post(f"{URL}/restore", json={"partition": 0, "days": 30})
    assert answer.status_code == 202, answer.text


async def test_a_mover_killed_at_any_statement_changes_nothing_or_all(
    aged: Aged, database: str, folder: Path, proxy: Proxy, mover: Mover
) -> None:
    """SIGKILL before each message of archiving, pruning and restoring that the server acts on."""
    async with aged() as steward:
        pool = steward.pools["compliance"]
        due, sums = await bundles_of_first(pool), await index_sums(database)
        await ask(database, 0)
        for state, least in AT_LEAST.items():
            if state == "restored":
                await restore(steward)
                mover = replace(mover, later=timedelta())

            def dies(number: int, mover: Mover = mover) -> tuple[Mover, Cut]:
                return mover, Cut(number, is_armed=True)

            assert await die_until(state, dies, proxy, pool, folder, due) >= least
            await steward.heard.until(f"log.{state}")
        assert told(steward) == ["log.archived", "log.pruned", "log.restored"]
        assert await index_sums(database) == sums


async def test_a_mover_that_does_not_hear_of_its_commit_repeats_nothing(
    aged: Aged, database: str, folder: Path, proxy: Proxy, mover: Mover
) -> None:
    """SIGKILL behind each commit: the next one goes on with the next step."""
    async with aged() as steward:
        pool = steward.pools["compliance"]
        due, sums = await bundles_of_first(pool), await index_sums(database)
        await ask(database, 0)
        for state in AT_LEAST:
            if state == "restored":
                await restore(steward)
                mover = replace(mover, later=timedelta())
            assert await moves(mover, proxy, Cut(2, after=True, text=b"COMMIT", is_armed=True)) == KILLED
            await assert_nothing_lost(pool, folder, due)
            assert (await plan(steward))[0]["state"] == state
            await steward.heard.until(f"log.{state}")
        assert told(steward) == ["log.archived", "log.pruned", "log.restored"]
        assert await index_sums(database) == sums


async def test_a_mover_killed_at_any_use_of_the_archive_leaves_what_the_next_one_goes_on_with(
    aged: Aged, database: str, folder: Path, proxy: Proxy, mover: Mover
) -> None:
    """SIGKILL before each object is written or read; what a write that broke off has left is in nobody's way."""
    async with aged() as steward:
        pool = steward.pools["compliance"]
        due, sums = await bundles_of_first(pool), await index_sums(database)
        broken = folder / f"{Bundle(0).path}#1"
        broken.parent.mkdir(parents=True)
        broken.write_bytes(b"half a")
        await ask(database, 0)
        for state in AT_LEAST:
            if state == "restored":
                await restore(steward)
                mover = replace(mover, later=timedelta())

            def dies(number: int, mover: Mover = mover) -> tuple[Mover, None]:
                return replace(mover, last=number), None

            deaths = await die_until(state, dies, proxy, pool, folder, due)
            assert (deaths == 0) == (state == "pruned")
            await steward.heard.until(f"log.{state}")
        assert told(steward) == ["log.archived", "log.pruned", "log.restored"]
        assert await index_sums(database) == sums
