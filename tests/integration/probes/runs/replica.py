"""What a replica of probes does, one step at a time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.probes.alerts.domain import Policy
from services.probes.kinds.domain import Observation
from services.probes.runs.domain import Ended, Finished, Probe, Run
from services.probes.runs.handlers import Caps, RunRules, claim_runs, finish_runs, start_probe, wait_for_turn
from shared.database import Pool
from shared.transactions import begin

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
RULES = RunRules(Policy(3, 2, MINUTE), "first")
CAPS = Caps(free=1000, at_site=1000, ahead=SECOND, spare=6 * SECOND)
ANSWERED = Observation("ok", None, "it answered")


def probe_of(probe_id: str, **more: Any) -> Probe:
    """A probe that is asked every minute."""
    usual = Probe(probe_id, "dicom-echo", probe_id, "north", None, probe_id, {}, MINUTE, 20 * SECOND, 10 * SECOND)
    return replace(usual, **more)


async def plant(pool: Pool, *probes: Probe, due_in: timedelta = -SECOND) -> None:
    """Makes probes, all due at the same distance from now."""
    async with begin(pool, "probes") as tx:
        for probe in probes:
            await start_probe(tx, probe)
    ids = [probe.id for probe in probes]
    await pool.execute("UPDATE probes SET next_due = clock_timestamp() + $2 WHERE id = ANY($1)", ids, due_in)


async def claim(pool: Pool, caps: Caps = CAPS, later: timedelta = timedelta(0)) -> list[Run]:
    """Claims what is due, where the time is ``later`` than it is."""
    async with begin(pool, "probes") as tx:
        return await claim_runs(tx, await wait_for_turn(tx) + later, RULES, caps)


async def finish(pool: Pool, runs: Sequence[Run], observation: Observation = ANSWERED) -> list[Ended]:
    """Stores what runs saw, and returns what was stored of it."""
    async with begin(pool, "probes") as tx:
        return await finish_runs(tx, [Finished(run, observation) for run in runs], RULES)


async def due_times(pool: Pool) -> dict[str, datetime]:
    """When each probe is due next."""
    return {row["id"]: row["next_due"] for row in await pool.fetch("SELECT id, next_due FROM probes")}
