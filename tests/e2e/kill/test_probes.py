"""Replicas of probes are killed, stopped and cut off: every due time is run or told, and none twice."""

import asyncio
import json
import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.probes.runs.domain import Probe, slot_after
from services.probes.runs.handlers import start_probe
from shared.database import Pool, open_pool
from shared.issuer import Issuer
from shared.migrate import migrate_service
from shared.transactions import begin
from tests.e2e.kill import replica
from tests.e2e.kill.test_kill import seeds

SERVICES = Path(__file__).parents[3] / "services"
INTERVAL = timedelta(seconds=2)
PROBES, REPLICAS = 60, 3
KILLS, STOPS, CUTS = 8, 2, 3
LEASE_SECONDS = 8
SEED = seeds()[0]
UNTIL_HEALTHY = """SELECT count(*) = 0 FROM probes WHERE next_due < now() - interval"""


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The tables of probes."""
    await migrate_service(database, "probes", SERVICES / "probes" / "migrations", None)
    pool = await open_pool(database, schema="probes", application="kill-test")
    yield pool
    pool.terminate()


class Replicas:
    """Processes that are killed, and started anew."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._forks = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload([replica.__name__])
        self._processes: list[BaseProcess] = []

    def start(self, number: int) -> None:
        """One more."""
        vantage = {"probe_vantage": f"replica-{number}"}
        process = self._forks.Process(target=replica.run_replica, args=(self._settings | vantage,))
        process.start()
        self._processes.append(process)

    def kill(self, rng: random.Random) -> None:
        """SIGKILL to one, and a new one in its place."""
        victim = rng.choice(self._processes)
        self._processes.remove(victim)
        victim.kill()
        victim.join()
        self.start(rng.randrange(1000))

    async def stop(self, rng: random.Random) -> None:
        """One stands still for longer than its leases last, and then goes on as if nothing had been."""
        pid = rng.choice(self._processes).pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(LEASE_SECONDS)
        finally:
            os.kill(pid, signal.SIGCONT)

    def end(self) -> None:
        """Kills all."""
        for process in self._processes:
            process.kill()
            process.join()


@pytest.mark.timeout(300)
async def test_every_due_time_is_run_or_told_once_whatever_is_killed(
    database: str, pool: Pool, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """SIGKILL, SIGSTOP and cut connections: no (probe, due time) twice, none forgotten, each with its event."""
    record_property("seed", SEED)
    rng = random.Random(SEED)
    settings = {
        "database": database,
        "bus": "postgres",
        "bus_database": database,
        "oidc_jwks": str(Issuer(tmp_path).jwks_file),
        "probe_interval": INTERVAL.total_seconds(),
    }
    await plant(pool, rng)
    replicas = Replicas(settings)
    for number in range(REPLICAS):
        replicas.start(number)
    try:
        await kill_and_stop(replicas, pool, rng)
        async with asyncio.timeout(60):
            while not await pool.fetchval(UNTIL_HEALTHY):
                await asyncio.sleep(0.2)
    finally:
        replicas.end()
    await assert_each_due_time_is_told_once(pool)


async def plant(pool: Pool, rng: random.Random) -> None:
    """Probes of a few targets, of which some take long."""
    async with begin(pool, "probes") as tx:
        for number in range(PROBES):
            probe = Probe(
                id=f"knock:{number}",
                kind="knock",
                subject=f"target {number // 2}",
                site_id=f"site-{number % 3}",
                system_id=None,
                name="target",
                settings={"seconds": rng.choice((0, 0, 0.05, 0.4))},
                interval=INTERVAL,
                retry_interval=INTERVAL,
                timeout=timedelta(seconds=1),
                check_name=f"knock {number}",
            )
            await start_probe(tx, probe)


async def kill_and_stop(replicas: Replicas, pool: Pool, rng: random.Random) -> None:
    """What the seed says."""
    acts = ["kill"] * KILLS + ["stop"] * STOPS + ["cut"] * CUTS
    rng.shuffle(acts)
    for act in acts:
        await asyncio.sleep(rng.random() * 2)
        if act == "kill":
            replicas.kill(rng)
        elif act == "stop":
            await replicas.stop(rng)
        else:
            await cut(pool)


async def cut(pool: Pool) -> None:
    """Cuts about half of the replicas' connections."""
    await pool.execute(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name IN ('replica', 'steward-probes')
             AND random() < 0.5"""
    )


async def assert_each_due_time_is_told_once(pool: Pool) -> None:
    """By the results, and by the events that would have been published."""
    rows = await pool.fetch("SELECT probe_id, due_at, outcome, detail FROM results ORDER BY probe_id, due_at")
    assert Counter(await recorded(pool)) == Counter((row["probe_id"], row["due_at"]) for row in rows)
    probes = {row["probe_id"] for row in rows}
    assert len(probes) == PROBES
    for probe_id in probes:
        assert_whole(probe_id, [row for row in rows if row["probe_id"] == probe_id])


async def recorded(pool: Pool) -> list[tuple[str, datetime]]:
    """The keys of all results in the outbox, from which no relay has taken any."""
    bodies = await pool.fetch("SELECT body FROM outbox WHERE topic = 'probe.result'")
    told = [json.loads(row["body"])["data"] for row in bodies]
    return [(one["probe_id"], datetime.fromisoformat(one["due_at"])) for one in told]


def assert_whole(probe_id: str, rows: "list[asyncpg.Record]") -> None:
    """Runs and left-out runs are as many as the due times from the first, which is at once, to the last."""
    told = sum(int(row["detail"].split()[0]) if row["outcome"] == "skipped" else 1 for row in rows)
    first, last = rows[0]["due_at"], rows[-1]
    regular = slot_after(probe_id, INTERVAL, first)
    due_times = 1 + max(0, (last["due_at"] - regular) // INTERVAL + 1)
    left_out_last = int(last["detail"].split()[0]) - 1 if last["outcome"] == "skipped" else 0
    assert told == due_times + left_out_last, (probe_id, [tuple(row.values()) for row in rows])
