"""No text of a peer's, and no result that the database refuses, stops the runs of others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from services.probes.kinds.domain import Kind, Observation
from services.probes.runs.handlers import RunRules, take_results
from services.probes.runs.schedule import Runner
from services.probes.settings import ProbesSettings
from shared.database import Pool, open_pool
from shared.transactions import begin
from tests.conftest import execute
from tests.integration.conftest import login, settings_for
from tests.integration.probes.fleet import FAST
from tests.integration.probes.runs.replica import RULES, plant, probe_of
from tests.news import until
from tests.unit.probes.kinds.wild import observations

VANTAGE = "north-dmz"
COUNT = "SELECT count(*) = $1 FROM results"


class Told(BaseModel):
    """What a run is to say."""

    says: str


class Parrot(Kind[Told]):
    """Sees what it is told, and what hostile peers say beside it."""

    name = "parrot"
    summary = "Says it."
    settings = Told

    async def run(self, settings: Told, timeout: float) -> Observation:
        """Without any network."""
        hostile = {f"{number}\x00": "\ufffd" * 1000 for number in range(60)}
        return Observation("ok", None, settings.says, measures={"nan": float("nan")}, facts=hostile)


@asynccontextmanager
async def running(pool: Pool, database: str, folder: Path) -> AsyncIterator["asyncio.Task[None]"]:
    """A replica at work, which nobody starts again."""
    settings = settings_for(ProbesSettings, "probes", database, folder, **FAST)
    task = asyncio.create_task(Runner(pool, settings, [Parrot()]).run())
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def plant_parrots(pool: Pool, *says: str) -> None:
    """Probes that are due once, all together."""
    usual = {"kind": "parrot", "interval": timedelta(days=1)}
    probes = [probe_of(text, settings={"says": text}, check_name=text, **usual) for text in says]
    await plant(pool, *probes)


async def told(pool: Pool) -> dict[str, tuple[str, str | None, str]]:
    """What is kept of each probe."""
    rows = await pool.fetch("SELECT probe_id, outcome, failure, detail FROM results")
    return {row["probe_id"]: (row["outcome"], row["failure"], row["detail"]) for row in rows}


async def test_what_a_peer_says_is_stored_whatever_it_is(pool: Pool, database: str, tmp_path: Path) -> None:
    """Facts of twice an event's size with NULs, numbers that are none: a result as any other."""
    await plant_parrots(pool, "well")
    async with running(pool, database, tmp_path) as work:
        await until(pool, COUNT, 1)
        assert not work.done()
    assert await told(pool) == {"well": ("ok", None, "well")}


async def test_a_result_that_cant_be_stored_takes_no_other_with_it(pool: Pool, database: str, tmp_path: Path) -> None:
    """It becomes an error of the probe's own, its probe goes on at its next time, and the replica works on."""
    await execute(database, "ALTER TABLE probes.results ADD CHECK (detail <> 'poison')")
    await plant_parrots(pool, "well", "poison", "fine")
    async with running(pool, database, tmp_path) as work:
        await until(pool, COUNT, 3)
        assert not work.done()
    kept = await told(pool)
    assert (kept["well"][0], kept["fine"][0], kept["poison"][:2]) == ("ok", "ok", ("probe_error", "internal"))
    assert await pool.fetchval("SELECT bool_and(next_due > now() AND lease IS NULL) FROM probes")


async def test_where_not_even_that_can_be_stored_others_are(pool: Pool, database: str, tmp_path: Path) -> None:
    """A probe whose results are refused for ever is left to its lease."""
    await execute(database, "ALTER TABLE probes.results ADD CHECK (probe_id <> 'poison')")
    await plant_parrots(pool, "poison", "well", "fine")
    async with running(pool, database, tmp_path) as work:
        await until(pool, COUNT, 2)
        assert not work.done()
    assert set(await told(pool)) == {"well", "fine"}


@dataclass(frozen=True)
class Seen:
    """One run of an agent."""

    due_at: datetime
    observation: Observation
    probe_id: str = "a"

    @property
    def started_at(self) -> datetime:
        """At once."""
        return self.due_at


async def bring_all(pool: Pool, start: datetime, seen: list[Observation]) -> Any:
    """What becomes of results that an agent brings, each a second after the other."""
    brought = [Seen(start + timedelta(seconds=place), one) for place, one in enumerate(seen)]
    async with begin(pool, "probes") as tx:
        received = await take_results(tx, brought, RunRules(RULES.policy, VANTAGE))
    async with begin(pool, "probes") as tx:
        await tx.conn.execute("UPDATE probes SET last_due = NULL")
        await tx.conn.execute("DELETE FROM results")
        await tx.conn.execute("DELETE FROM outbox")
    return received


def test_the_database_takes_whatever_was_seen(database: str) -> None:
    """Any text and any numbers, stored, judged and told."""
    with asyncio.Runner() as runner:
        pool = runner.run(open_pool(login(database, "steward_probes"), schema="probes", application="test"))
        runner.run(plant(pool, probe_of("a", vantage=VANTAGE)))
        start = datetime.now(UTC) - timedelta(hours=1)

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(observations, min_size=1, max_size=8))
        def check(seen: list[Observation]) -> None:
            assert len(runner.run(bring_all(pool, start, seen))) == len(seen)

        try:
            check()
        finally:
            pool.terminate()
