"""A page of results costs what it shows, whoever asks, and not what all sites have kept for a month."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.probes.history.domain import Result
from services.probes.history.store import select_results
from shared.database import Pool
from shared.transactions import new_id
from tests.integration.probes.history.past import SUBJECT, database_of_probes, keep, result

NORTH = 400
"""Results of the site that has many."""


async def fill(pool: Pool) -> list[Result]:
    """A day's results of three sites, the first of which has nearly all."""
    now = datetime.now(UTC)
    sites = ["north"] * NORTH + ["south", "south", "west"]
    results = [
        result(
            now - timedelta(minutes=len(sites) - place),
            probe_id=f"tcp:{site}",
            subject=f"archive of {site}",
            site_id=site,
        )
        for place, site in enumerate(reversed(sites))
    ]
    await keep(pool, results, now)
    await pool.execute("SELECT provide_partitions(now() - interval '9 days', now())")
    return list(reversed(results))


async def test_pages_show_what_the_caller_may_see_the_latest_first(database: str) -> None:
    """By site, of all sites, and of one subject; each result once."""
    async with database_of_probes(database) as pool:
        results = await fill(pool)
        async with pool.acquire() as conn:
            for visible, subject in (
                (None, None),
                ({"south", "west"}, None),
                ({"east"}, None),
                (None, "archive of south"),
                ({"west"}, "archive of south"),
            ):
                wanted = [
                    one.id
                    for one in results
                    if (visible is None or one.site_id in visible) and (subject is None or one.subject == subject)
                ]
                shown: list[str] = []
                while page := await select_results(conn, visible, subject, shown[-1] if shown else None, 150):
                    shown += [one.id for one in page]
                assert shown == wanted


@pytest.mark.parametrize("visible", [None, {"north"}, {"south", "west"}, {"east"}])
@pytest.mark.parametrize("subject", [None, SUBJECT])
@pytest.mark.parametrize("before", [None, new_id()], ids=["first", "next"])
async def test_no_page_reads_what_it_does_not_show(
    database: str, visible: set[str] | None, subject: str | None, before: str | None
) -> None:
    """Neither a table, nor the results of a site or a subject that was not asked for."""
    async with database_of_probes(database) as pool:
        await fill(pool)
        asked: list[asyncpg.connection.LoggedQuery] = []
        async with pool.acquire() as conn:
            # Tables of a test are so small that to read them whole would be right.
            await conn.execute("SET enable_seqscan = off")
            with conn.query_logger(asked.append):
                await select_results(conn, visible, subject, before, 10)
            # The driver tells of its queries once the event loop turns.
            await asyncio.sleep(0)
            [told] = [query for query in asked if "FROM results" in query.query]
            explain = f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) {told.query}"
            plan = "\n".join([row[0] for row in await conn.fetch(explain, *told.args)])
            await conn.execute("RESET enable_seqscan")
    key = "subject = " if subject else "site_id = "
    scans = re.findall(r"Index Scan.* on results_\d.*\n\s+Index Cond: \((.*)\)", plan)
    assert scans, plan
    assert all(re.search(key, scan) and "id <" in scan for scan in scans), plan
    assert not re.search(r"(Seq Scan|Bitmap Heap Scan) on results", plan), plan
    removed = [int(count) for count in re.findall(r"Rows Removed by Filter: (\d+)", plan)]
    assert sum(removed) < 10, plan
