"""How much room sums take, and that what is packed is read as it was."""

import json
import random
from datetime import datetime, timedelta

import pytest

from services.probes.history.domain import Result
from services.probes.kpis.sketch import bin_of, merged, quantile
from services.probes.rollups.domain import HOUR
from shared.database import Pool
from tests.integration.probes.history.past import MINUTE, database_of_probes, keep, next_hour, result, roll

PROBES, HOURS = 20, 12
STEPS_A_YEAR = {"rollups_5m": 105_120, "rollups_1h": 8_760}
MOST_MEGABYTES = {"rollups_5m": 33.0, "rollups_1h": 10.0}


async def test_year_of_sums_takes_no_more_room_than_the_guide_says(database: str) -> None:
    """Of an echo each minute, with its index: 32 MB of 5-minute sums, 9 MB of hourly ones, however times scatter."""
    chance = random.Random(5)
    async with database_of_probes(database) as pool:
        starts_at = await next_hour(pool)
        for minute in range(HOURS * 60):
            at = starts_at + minute * MINUTE
            await keep(pool, [echoed(at + timedelta(seconds=number), number, chance) for number in range(PROBES)])
            if minute % 5 == 4:
                await roll(pool, at + timedelta(minutes=3))
        await roll(pool, starts_at + (HOURS + 1) * HOUR)
        for table, steps in STEPS_A_YEAR.items():
            assert await megabytes_a_row(pool, table) * steps < MOST_MEGABYTES[table], table


def echoed(at: datetime, number: int, chance: random.Random) -> Result:
    """What an echo tells: five phases, each a little different every time."""
    usual = {"dns": 0.01, "tcp": 0.4, "association": 2.5, "dimse": 0.9, "release": 0.5}
    phases = {name: round(ms * chance.lognormvariate(0, 0.2), 3) for name, ms in usual.items()}
    return result(at, f"dicom-echo:{number}", phases=phases)


async def megabytes_a_row(pool: Pool, table: str) -> float:
    """With what its key takes; the index by time has three pages, however many rows there are."""
    rows: int = await pool.fetchval(f"SELECT count(*) FROM {table}")
    size: int = await pool.fetchval(
        f"""SELECT sum(pg_relation_size(inhrelid)) FROM pg_inherits
            WHERE inhparent = ANY(ARRAY['{table}', '{table}_pkey']::regclass[])"""
    )
    return float(size) / rows / 1e6


@pytest.mark.parametrize(
    "values",
    [
        [0.0],
        [7.0, 7.0],
        [7.0] * 300,
        [-1.5, 0.0, 2.5],
        [float(number) for number in range(1, 9)],
        [float(number) for number in range(1, 10)],
        [-3.0] * 600 + [0.0] * 600 + [1e12] * 600,
        [1e300, -1e300, 1e-300],
    ],
    ids=lambda values: f"{len(values)} from {values[0]:g}",
)
async def test_what_is_packed_is_read_as_it_was(database: str, values: list[float]) -> None:
    """Few values, one value many times, and many values in bins: count, sum, least, greatest and percentiles."""
    within = [max(-3.4e38, min(3.4e38, 0.0 if abs(value) < 1e-30 else value)) for value in values]
    async with database_of_probes(database) as pool:
        [row] = await pool.fetch("SELECT name, part FROM unpacked(pack_values(2, $1), ARRAY['other', 'ours'])", values)
    count, total, least, greatest, bins = json.loads(row["part"]) if isinstance(row["part"], str) else row["part"]
    assert (row["name"], count) == ("ours", len(values))
    assert (total, least, greatest) == pytest.approx((sum(within), min(within), max(within)), rel=1e-6)
    counted = merged(*({int(one.partition(":")[0]): int(one.partition(":")[2] or 1)} for one in bins.split(" ")))
    expected = merged(*({bin_of(value): 1} for value in within))
    for share in (0.1, 0.5, 0.99):
        assert quantile(counted, share) == pytest.approx(quantile(expected, share), rel=0.02)
