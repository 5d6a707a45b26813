"""Runs over real nodes: shared by replicas, never doubled, never held up by a peer that hangs."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from services.probes.__main__ import build
from services.probes.alerts.domain import Policy
from services.probes.history.handlers import forget_old_results
from services.probes.kinds.domain import Observation
from services.probes.runs.domain import Finished, Probe, Run
from services.probes.runs.handlers import RunRules, finish_runs
from services.probes.settings import ProbesSettings
from shared.bus.postgres import PostgresBus
from shared.events.probes import ProbeResult
from shared.service import open_service
from shared.transactions import begin
from tests.conftest import execute
from tests.harness import Harness
from tests.integration.conftest import Run as RunServices
from tests.integration.conftest import Speak, settings_for
from tests.integration.probes.dicom.peers import listening
from tests.integration.probes.fleet import DAY, FAST, listening_node, probes, tell_node

MINUTE = timedelta(minutes=1)
RULES = RunRules(Policy(3, 2, MINUTE), "dead")


async def test_replicas_share_the_runs_and_double_none(
    run: RunServices, speak: Speak, database: str, bus: PostgresBus, tmp_path: Path
) -> None:
    """Both make some of the runs, and each (probe, due time) has one result on the bus."""
    second = settings_for(
        ProbesSettings, "probes", database, tmp_path, **FAST | {"probe_interval": 1, "probe_vantage": "second"}
    )
    async with (
        run(**probes(probe_interval=1)) as steward,
        open_service("probes", lambda pool: build(pool, second), second, bus),
        speak("inventory") as inventory,
    ):
        with listening_node() as node:
            for number in range(8):
                await tell_node(inventory, node, name=f"node {number}")
            await until_each_has_run(steward, probes=8, times=4)
    results = results_of(steward)
    runs = Counter((result.probe_id, result.due_at) for result in results)
    assert max(runs.values()) == 1
    assert {result.vantage for result in results} == {"first", "second"}


def probe_of(probe_id: str, subject: str) -> Probe:
    """The probe of that id."""
    return Probe(probe_id, "dicom-echo", subject, "north", None, "north-pacs", {}, MINUTE, MINUTE, MINUTE / 2)


def results_of(steward: Harness) -> list[ProbeResult]:
    """All results heard so far."""
    return [event.data for event in steward.heard.events if isinstance(event.data, ProbeResult)]


async def until_each_has_run(steward: Harness, probes: int, times: int) -> None:
    """Waits until that many probes have that many results each, and both replicas have some."""

    def is_enough(_: object) -> bool:
        results = results_of(steward)
        counted = Counter(result.probe_id for result in results)
        both = len({result.vantage for result in results}) == 2
        return both and len(counted) == probes and min(counted.values()) >= times

    await steward.heard.until("probe.result", is_enough)


async def test_hung_peer_delays_no_other(run: RunServices, speak: Speak) -> None:
    """While a peer says nothing for the whole of a long timeout, another node is asked and its answer told."""
    reached = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()

    async with (
        run(**probes(probe_interval=DAY, probe_timeout=600)) as steward,
        speak("inventory") as inventory,
        listening(hang) as hung,
    ):
        with listening_node() as node:
            await tell_node(inventory, hung, name="hung")
            await reached.wait()
            healthy = await tell_node(inventory, node)
            answered = await steward.heard.until("probe.result")
            assert (answered.subject, answered.data.outcome) == (healthy, "ok")


async def test_replica_that_stops_gives_up_the_runs_under_way(run: RunServices, speak: Speak, database: str) -> None:
    """Another need not wait for the end of their leases."""
    reached = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()

    async with listening(hang) as hung:
        async with run(**probes(probe_interval=DAY, probe_timeout=600)) as steward, speak("inventory") as inventory:
            await tell_node(inventory, hung)
            await reached.wait()
            assert await steward.pools["probes"].fetchval("SELECT count(*) FROM probes WHERE lease IS NOT NULL") == 1
        conn = await asyncpg.connect(database)
        assert await conn.fetchval("SELECT count(*) FROM probes.probes WHERE leased_until IS NOT NULL") == 0
        await conn.close()


async def test_runs_that_were_missed_are_told_and_not_made_up_for(run: RunServices, speak: Speak) -> None:
    """After an outage of many intervals there is one skipped result and one run, not a queue of them."""
    async with run(**probes(probe_interval=3600)) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            await tell_node(inventory, node)
            first = await steward.heard.until("probe.result")
            await steward.pools["probes"].execute(
                "UPDATE probes SET next_due = now() - interval '10 hours'; NOTIFY steward_probes"
            )
            skipped = await steward.heard.until("probe.result", lambda e: e.data.outcome == "skipped")
            assert skipped.data.detail.startswith("10 runs were left out")
            made = await steward.heard.until("probe.result", lambda e: e.id != first.id and e.data.outcome == "ok")
            assert made.data.due_at > skipped.data.due_at
            assert made.data.lag_ms < 3_600_000
            assert await steward.pools["probes"].fetchval("SELECT count(*) FROM results") == 3


async def test_run_of_a_replica_that_died_is_made_by_another(run: RunServices, speak: Speak) -> None:
    """When a lease ends, the same due time is run; what the dead replica still had to say is dropped."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            await tell_node(inventory, node)
            first = await steward.heard.until("probe.result")
            due_at = await steward.pools["probes"].fetchval(
                """UPDATE probes SET next_due = now(), lease = 'dead', leased_until = now() + interval '0.3 s'
                   RETURNING next_due"""
            )
            await steward.pools["probes"].execute("NOTIFY steward_probes")
            taken_over = await steward.heard.until("probe.result", lambda e: e.id != first.id)
            assert taken_over.data.due_at == due_at
            assert taken_over.data.lag_ms >= 300
            pool = steward.pools["probes"]
            row = await pool.fetchrow("SELECT * FROM probes")
            assert row is not None
            probe = probe_of(taken_over.data.probe_id, taken_over.subject)
            late = Finished(Run(probe, due_at, due_at, "dead"), Observation("failed", "refused", "late"))
            async with begin(pool, "probes") as tx:
                await finish_runs(tx, [late], RULES)
            assert await pool.fetchval("SELECT count(*) FROM results WHERE outcome <> 'ok'") == 0
            assert await pool.fetchrow("SELECT * FROM probes") == row


async def test_cut_connections_do_not_end_probing(run: RunServices, speak: Speak, database: str) -> None:
    """When the database drops all of the service's connections, results flow again by themselves."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            await tell_node(inventory, node)
            await steward.heard.until("probe.result")
            statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'steward_probes'"
            await execute(database, statement)
            cut_at = datetime.now(UTC)
            await steward.heard.until("probe.result", lambda e: e.data.started_at > cut_at and e.data.outcome == "ok")


async def test_old_results_are_forgotten(run: RunServices, speak: Speak) -> None:
    """Those beyond the history go, the others stay."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            asset_id = await tell_node(inventory, node)
            result = await steward.heard.until("probe.result", lambda e: e.subject == asset_id)
        pool = steward.pools["probes"]
        for later, left in ((timedelta(days=13), 1), (timedelta(days=15), 0)):
            now = result.data.started_at + later
            async with begin(pool, "probes", now=now) as tx:
                await forget_old_results(tx, timedelta(days=14))
            assert await pool.fetchval("SELECT count(*) FROM results") == left


async def test_node_that_cannot_be_asked_is_an_error_of_the_probe(run: RunServices, speak: Speak) -> None:
    """A title that inventory should not have let in harms neither the other probes nor raises an alert."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            node.ae_title = "BACK\\SLASH"
            odd = await tell_node(inventory, node)
            seen: set[str] = set()
            for _ in range(4):
                event = await steward.heard.until("probe.result", lambda e: e.subject == odd and e.id not in seen)
                assert event.data.outcome == "probe_error"
                seen.add(event.id)
            assert not [event for event in steward.heard.events if event.type == "alert.raised"]
