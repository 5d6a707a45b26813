"""What agents bring: each run once, in order, and none that was not theirs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.probes.kinds.domain import Observation
from services.probes.runs.domain import Reception
from services.probes.runs.handlers import RunRules, probes_of_vantage, take_results
from shared.database import Pool
from shared.transactions import begin
from tests.integration.probes.runs.replica import ANSWERED, MINUTE, RULES, plant, probe_of

VANTAGE = "north-dmz"
NOON = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
FAILED = Observation("failed", "refused", "nobody listens")


@dataclass(frozen=True)
class Seen:
    """One run of an agent."""

    probe_id: str
    due_at: datetime
    observation: Observation = ANSWERED

    @property
    def started_at(self) -> datetime:
        """A little late."""
        return self.due_at + timedelta(milliseconds=5)


async def bring(pool: Pool, *seen: Seen, vantage: str = VANTAGE) -> list[Reception]:
    """Hands results over."""
    async with begin(pool, "probes") as tx:
        return await take_results(tx, seen, RunRules(RULES.policy, vantage))


async def stored(pool: Pool) -> list[tuple[str, datetime, str]]:
    """What is kept, by due time."""
    rows = await pool.fetch("SELECT probe_id, due_at, vantage FROM results ORDER BY due_at, probe_id")
    return [(row["probe_id"], row["due_at"], row["vantage"]) for row in rows]


async def test_what_an_agent_brings_twice_is_kept_once(pool: Pool) -> None:
    """A delivery whose receipt was lost comes again; only what is new in it is taken."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    first = [Seen("a", NOON), Seen("a", NOON + MINUTE)]
    assert await bring(pool, *first) == ["taken", "taken"]
    assert await bring(pool, *first, Seen("a", NOON + 2 * MINUTE)) == ["repeated", "repeated", "taken"]
    assert await stored(pool) == [("a", NOON + n * MINUTE, VANTAGE) for n in range(3)]


async def test_result_twice_in_one_delivery_is_kept_once(pool: Pool) -> None:
    """The second is a repeat of the first."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    assert await bring(pool, Seen("a", NOON), Seen("a", NOON)) == ["taken", "repeated"]


async def test_what_a_clock_ahead_has_dated_deafens_no_probe(pool: Pool) -> None:
    """Results of next year are refused, and those of now are taken after them."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    next_year = NOON + timedelta(days=365)
    assert await bring(pool, Seen("a", next_year), Seen("a", NOON)) == ["from the future", "taken"]
    assert await bring(pool, Seen("a", NOON + MINUTE)) == ["taken"]


async def test_only_the_agent_of_the_vantage_may_bring(pool: Pool) -> None:
    """What another brings, or of a probe that is there no longer, is unknown and changes nothing."""
    await plant(pool, probe_of("theirs", vantage="south-dmz"), probe_of("ours"))
    assert await bring(pool, Seen("theirs", NOON), Seen("ours", NOON), Seen("gone", NOON)) == ["unknown"] * 3
    assert await stored(pool) == []


async def test_failure_is_wanted_again_soon(pool: Pool) -> None:
    """The last result of each probe says whether the next decides an alert."""
    await plant(pool, probe_of("a", vantage=VANTAGE), probe_of("b", vantage=VANTAGE))
    receptions = await bring(pool, Seen("a", NOON, FAILED), Seen("b", NOON, FAILED), Seen("b", NOON + MINUTE))
    assert receptions == ["wanted soon", "taken", "taken"]


async def test_agent_is_given_its_own_probes(pool: Pool) -> None:
    """By id, and no others."""
    await plant(pool, probe_of("b", vantage=VANTAGE), probe_of("a", vantage=VANTAGE), probe_of("c"))
    async with pool.acquire() as conn:
        assert [probe.id for probe in await probes_of_vantage(conn, VANTAGE)] == ["a", "b"]
