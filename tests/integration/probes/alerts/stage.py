"""Results as agents bring them, at times of the test's own, and what came of them in the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from services.probes.alerts.domain import Policy
from services.probes.alerts.watch import watch
from services.probes.kinds.domain import Observation
from services.probes.runs.domain import Reception
from services.probes.runs.handlers import RunRules, take_results
from shared.database import Pool
from shared.transactions import begin
from tests.integration.probes.runs.replica import MINUTE

VANTAGE = "north-dmz"
POLICY = Policy(3, 2, 10 * MINUTE, longest_delay=timedelta(days=400))
"""Nothing is told as late."""

BEGIN = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=2)
LONG_AGO = BEGIN - timedelta(days=300)

OBSERVED: Mapping[str, Observation] = {
    "o": Observation("ok", None, "it answered"),
    "d": Observation("degraded", "rejected_busy", "it is busy"),
    "f": Observation("failed", "timeout_connect", "no connection within 10 s"),
    "w": Observation("failed", "aborted", "it aborted"),
    "e": Observation("probe_error", "secret", "our own fault"),
}


@dataclass(frozen=True)
class Seen:
    """One run, ``at`` so many minutes after BEGIN."""

    probe_id: str
    at: float
    letter: str = "f"
    phases: Mapping[str, float] = field(default_factory=dict)

    @property
    def due_at(self) -> datetime:
        """When it was due."""
        return BEGIN + self.at * MINUTE

    @property
    def started_at(self) -> datetime:
        """At once."""
        return self.due_at

    @property
    def observation(self) -> Observation:
        """What it saw."""
        return replace(OBSERVED[self.letter], phases=dict(self.phases))


def series(probe_id: str, letters: str, begin: float = 0) -> list[Seen]:
    """One run a minute."""
    return [Seen(probe_id, begin + minute, letter) for minute, letter in enumerate(letters)]


async def bring(
    pool: Pool, *seen: Seen, policy: Policy = POLICY, vantage: str = VANTAGE, is_behind: bool = False
) -> list[Reception]:
    """Hands results over as the agent of the vantage, which may have more of them."""
    async with begin(pool, "probes") as tx:
        return await take_results(tx, seen, RunRules(policy, vantage, is_behind))


async def pass_time(pool: Pool, policy: Policy = POLICY, watching_since: datetime = LONG_AGO) -> None:
    """What the schedule does at each of its turns."""
    async with begin(pool, "probes") as tx:
        await watch(tx, policy, watching_since)


async def forget_hearing(pool: Pool, *probe_ids: str) -> None:
    """Lets these probes have been heard ten minutes ago for the last time."""
    ids = list(probe_ids)
    await pool.execute("UPDATE heard SET heard_at = now() - interval '10 minutes' WHERE probe_id = ANY($1)", ids)


async def transitions(pool: Pool, probe_id: str, measure: str = "") -> list[str]:
    """What happened to a check, in order."""
    rows = await pool.fetch(
        "SELECT what FROM alert_transitions WHERE probe_id = $1 AND measure = $2 ORDER BY id", probe_id, measure
    )
    return [row["what"] for row in rows]


async def published(pool: Pool) -> list[str]:
    """The types of the events of alerts that wait in the outbox, in their order."""
    rows = await pool.fetch("SELECT topic FROM outbox WHERE topic LIKE 'alert.%' ORDER BY id")
    return [row["topic"] for row in rows]


async def open_alerts(pool: Pool) -> list[tuple[str, str, str]]:
    """Subject, check and severity of what is open."""
    rows = await pool.fetch('SELECT subject, "check", severity FROM alerts WHERE resolved_at IS NULL ORDER BY 1, 2')
    return [tuple(row) for row in rows]
