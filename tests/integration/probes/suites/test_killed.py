"""Runners that die: whatever they were at, another one brings the run to its end, and each item ends once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from services.probes.__main__ import build
from services.probes.conformance.dicom_conformance import DicomConformance
from services.probes.kinds.dicom_echo import DicomEcho
from services.probes.runs.domain import Probe
from services.probes.runs.handlers import start_probe
from services.probes.settings import ProbesSettings
from services.probes.suites import handlers
from services.probes.suites.domain import Seen
from services.probes.suites.schedule import SuiteRunner
from shared.database import Pool
from shared.events.probes import SuiteCompleted
from shared.service import Service
from shared.transactions import begin, new_id
from tests.harness import Harness
from tests.integration.conftest import Run, Speak, login
from tests.integration.probes.dicom.peers import listening
from tests.integration.probes.fleet import DAY, FAST, SITE, listening_node, tell_system
from tests.integration.probes.runs.replica import claim
from tests.integration.probes.suites.stage import Hospital
from tests.news import until

EXPIRE = "UPDATE suite_items SET leased_until = now() WHERE state = 'leased'; NOTIFY steward_suites"
PROBES = ProbesSettings.model_construct(
    probe_ae_title="STEWARD", probe_listen_host="127.0.0.1", probe_listen_port=0, probe_secrets=None
)


class Died(Exception):
    """The process is gone."""


class Mortal:
    """A pool of a process that dies when it begins its transaction number ``life`` + 1."""

    def __init__(self, pool: Pool, life: int) -> None:
        self._pool = pool
        self._life = life

    def acquire(self) -> Any:
        if self._life == 0:
            raise Died
        self._life -= 1
        return self._pool.acquire()


def without_runner(pool: Pool, settings: ProbesSettings) -> Service:
    """Probes, whose suites and checks nobody runs."""
    service = build(pool, settings)
    return replace(service, work={name: work for name, work in service.work.items() if name not in ("suites", "runs")})


@asynccontextmanager
async def unstaffed(run: Run, speak: Speak) -> AsyncIterator[Hospital]:
    """A system at which no runner works yet."""
    settings = (without_runner, ProbesSettings, FAST | {"probe_interval": DAY})
    async with run(probes=settings) as steward, speak("inventory") as inventory:
        system_id = await tell_system(inventory)
        await until(steward.pools["probes"], "SELECT count(*) = 1 FROM assets")
        yield Hospital(steward, inventory, system_id, {})


def runner(steward: Harness, database: str, pool: object | None = None) -> SuiteRunner:
    """A runner that knows two kinds, over a pool of its own choice."""
    kinds = {kind.name: kind.configured(PROBES) for kind in (DicomEcho, DicomConformance)}
    return SuiteRunner(cast(Pool, pool or steward.pools["probes"]), login(database, "steward_probes"), kinds)


@asynccontextmanager
async def working(one: SuiteRunner) -> AsyncIterator["asyncio.Task[None]"]:
    """The runner at work; stopped at the end."""
    task = asyncio.create_task(one.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def echoes(port: int, count: int, ae_title: str = "NORTH_PACS", timeout_seconds: float = 60) -> list[dict[str, Any]]:
    """Items that ask one node."""
    settings = {"host": "127.0.0.1", "port": port, "ae_title": ae_title}
    return [
        {
            "name": f"answer {number}",
            "function": "connectivity",
            "interface": "archive",
            "kind": "dicom-echo",
            "settings": settings,
            "timeout_seconds": timeout_seconds,
        }
        for number in range(count)
    ]


async def test_runner_killed_at_every_point_is_followed_by_another(run: Run, speak: Speak, database: str) -> None:
    """Before each transaction that a run takes, in turn: the items end once each, and the run is told of once."""
    async with unstaffed(run, speak) as system:
        pool = system.steward.pools["probes"]
        with listening_node() as node:
            suite_id = await system.make_suite(*echoes(node.port, 3))
            deaths = 0
            while True:
                asked = await system.ask(suite_id)
                async with working(runner(system.steward, database, Mortal(pool, deaths))) as dying:
                    told = asyncio.create_task(system.told(asked["id"]))
                    await asyncio.wait({told, dying}, return_when=asyncio.FIRST_COMPLETED)
                    is_dead = dying.done()
                await pool.execute(EXPIRE)
                async with working(runner(system.steward, database)):
                    event = await told
                done = await system.get(asked["id"])
                assert [item["verdict"] for item in done["items"]] == ["passed"] * 3
                assert all(1 <= item["attempts"] <= 2 for item in done["items"])
                assert event.data.counts == {"passed": 3, "failed": 0, "error": 0, "not_run": 0}
                if not is_dead:
                    break
                deaths += 1
        runs = [e.data.run_id for e in system.steward.heard.events if isinstance(e.data, SuiteCompleted)]
        assert len(runs) == len(set(runs)) == deaths + 1
        assert deaths >= 7


async def test_item_whose_runners_all_died_is_an_error(run: Run, speak: Speak, database: str) -> None:
    """An item that ends its runner each time is not begun for ever."""
    async with unstaffed(run, speak) as system:
        pool = system.steward.pools["probes"]
        with listening_node() as node:
            asked = await system.ask(await system.make_suite(*echoes(node.port, 2)))
            async with begin(pool, "probes") as tx:
                assert await handlers.begin_next_run(tx)
            await pool.execute("UPDATE suite_items SET attempts = 3 WHERE position = 0")
            async with working(runner(system.steward, database)):
                told = await system.told(asked["id"])
        assert (told.data.outcome, [item.verdict for item in told.data.items]) == ("error", ["error", "passed"])


async def test_runner_that_is_stopped_gives_its_items_back(run: Run, speak: Speak, database: str) -> None:
    """The next one takes them at once, and the attempt does not count."""
    reached = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()

    async with unstaffed(run, speak) as system, listening(hang) as hung:
        asked = await system.ask(await system.make_suite(*echoes(hung.port, 1, timeout_seconds=600)))
        async with working(runner(system.steward, database)):
            await reached.wait()
        [item] = (await system.get(asked["id"]))["items"]
        assert (item["state"], item["attempts"]) == ("planned", 0)


async def test_late_result_of_a_lost_lease_is_dropped(run: Run, speak: Speak, database: str) -> None:
    """Whoever was thought dead changes nothing any more."""
    async with unstaffed(run, speak) as system:
        pool = system.steward.pools["probes"]
        with listening_node() as node:
            asked = await system.ask(await system.make_suite(*echoes(node.port, 1)))
            async with begin(pool, "probes") as tx:
                await handlers.begin_next_run(tx)
            async with begin(pool, "probes") as tx:
                [late] = await handlers.lease_items(tx, 0, 10)
            await pool.execute(EXPIRE)
            async with working(runner(system.steward, database)):
                await system.told(asked["id"])
        before = await system.get(asked["id"])
        async with begin(pool, "probes") as tx:
            observation = await DicomEcho.configured(PROBES).run(
                DicomEcho.settings.model_validate(late.item.settings), 1
            )
            assert not await handlers.finish_item(tx, late, Seen(observation, tx.now, b"{}"))
        assert await system.get(asked["id"]) == before


def heavy_probe(system_id: str) -> Probe:
    """A probe that moves much at that system."""
    hour = timedelta(hours=1)
    return Probe("heavy", "dicom-retrieve", system_id, SITE, None, "n", {}, hour, hour, hour, is_heavy=True)


async def test_one_heavy_item_of_a_system_at_a_time(run: Run, speak: Speak) -> None:
    """Of two runs on one system, and a heavy probe beside them, one moves much at once; light items go on."""
    async with unstaffed(run, speak) as system:
        pool = system.steward.pools["probes"]
        heavy = {**echoes(1, 1)[0], "name": "speed", "kind": "dicom-retrieve"}
        suite_id = await system.make_suite(*echoes(1, 1), heavy)
        for _ in range(2):
            await system.ask(suite_id)
            async with begin(pool, "probes") as tx:
                assert await handlers.begin_next_run(tx)
        taken = []
        async with begin(pool, "probes") as tx:
            await start_probe(tx, heavy_probe(system.system_id))
            await tx.conn.execute("UPDATE probes SET leased_until = now() + interval '1 hour'")
        async with begin(pool, "probes") as tx:
            taken += await handlers.lease_items(tx, 5, 10)
        assert [leased.item.name for leased in taken] == ["answer 0", "answer 0"]
        await pool.execute("DELETE FROM probes")
        for _ in range(2):
            async with begin(pool, "probes") as tx:
                taken += await handlers.lease_items(tx, 5, 10)
        assert sorted(leased.item.name for leased in taken) == ["answer 0", "answer 0", "speed"]


async def test_heavy_probe_waits_for_the_heavy_item_of_its_system(run: Run, speak: Speak) -> None:
    """As the item waits for the probe: what one retrieves would slow down what the other measures."""
    async with unstaffed(run, speak) as system:
        pool = system.steward.pools["probes"]
        heavy = {**echoes(1, 1)[0], "name": "speed", "kind": "dicom-retrieve"}
        await system.ask(await system.make_suite(heavy))
        async with begin(pool, "probes") as tx:
            assert await handlers.begin_next_run(tx)
        async with begin(pool, "probes") as tx:
            [leased] = await handlers.lease_items(tx, 5, 10)
        elsewhere = replace(heavy_probe(new_id()), id="elsewhere")
        light = replace(heavy_probe(system.system_id), id="light", kind="tcp", is_heavy=False)
        async with begin(pool, "probes") as tx:
            for probe in (heavy_probe(system.system_id), elsewhere, light):
                await start_probe(tx, probe)
        assert {one.probe.id for one in await claim(pool)} == {"elsewhere", "light"}
        async with pool.acquire() as conn:
            await handlers.give_back(conn, leased)
        assert {one.probe.id for one in await claim(pool)} == {"heavy"}


async def test_what_has_not_ended_at_the_deadline_is_told(run: Run, speak: Speak, database: str) -> None:
    """A peer that says nothing holds up no suite: its item is an error, and the run ends in time."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()

    async with unstaffed(run, speak) as system, listening(hang) as hung:
        with listening_node() as node:
            items = [*echoes(node.port, 1), {**echoes(hung.port, 1, timeout_seconds=600)[0], "name": "mute"}]
            asked = await system.ask(await system.make_suite(*items), timeout_seconds=2)
            async with working(runner(system.steward, database)):
                told = (await system.told(asked["id"])).data
        assert told.outcome == "error"
        assert {item.name: item.verdict for item in told.items} == {"answer 0": "passed", "mute": "error"}
