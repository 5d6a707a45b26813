"""How long what suites have shown is kept, and the reports of staff."""

from datetime import timedelta

from services.probes.reports.handlers import forget_old_reports
from services.probes.suites.handlers import forget_old_runs
from shared.database import Pool
from shared.transactions import begin
from tests.integration.conftest import Run, Speak
from tests.integration.probes.conformance.test_conformance import EVERYTHING, taking
from tests.integration.probes.suites.stage import RUNS, hospital

YEAR = timedelta(days=365)


async def sweep(pool: Pool) -> None:
    """Keeps what is younger than a year."""
    async with begin(pool, "probes") as tx:
        await forget_old_runs(tx, YEAR)
        await forget_old_reports(tx, YEAR)


async def test_old_runs_go_with_their_evidence_and_the_latest_matrix_stays(run: Run, speak: Speak) -> None:
    """Nothing of a run is left over, nothing of a younger one is touched; no row is left that nobody can reach."""
    async with hospital(run, speak) as system:
        pool = system.steward.pools["probes"]
        with taking(EVERYTHING) as archive:
            node_id = await system.add("north-pacs", "archive", archive)
            old, young = await system.run("compatibility"), await system.run("compatibility")
        await pool.execute("UPDATE suite_runs SET finished_at = now() - interval '2 years' WHERE id = $1", old["id"])
        await pool.execute("UPDATE conformance SET taken_at = now() - interval '2 years'")
        evidence = await pool.fetchval("SELECT count(*) FROM evidence")
        await sweep(pool)
        assert (await system.operator.get(f"{RUNS}/{old['id']}")).status_code == 404
        assert (await system.operator.get(f"{RUNS}/{young['id']}/evidence/{young['report']}")).status_code == 200
        matrices = await pool.fetch("SELECT run_id, subject FROM conformance")
        assert [tuple(row) for row in matrices] == [(young["id"], node_id)]
        assert await pool.fetchval("SELECT count(*) FROM evidence") == evidence // 2
        assert await pool.fetchval("SELECT count(DISTINCT run_id) FROM suite_items") == 1


async def test_reports_go_when_they_were_closed_long_ago(run: Run, speak: Speak) -> None:
    """One that is open stays, however old it is."""
    async with hospital(run, speak) as system:
        pool = system.steward.pools["probes"]
        for name, closed in (("open", None), ("old", "2 years"), ("young", "1 day")):
            await pool.execute(
                """INSERT INTO reports (id, version, site_id, asset_name, summary, details, happened_at, filed_at,
                                        filed_by, alert_id, evidence, sha256, closed_at)
                   VALUES ($1, 1, 'north', 'a', 's', 'd', now() - interval '3 years', now() - interval '3 years',
                           'ann', $1, '{}', 'x', now() - $2::text::interval)""",
                name,
                closed,
            )
        await sweep(pool)
        assert {row["id"] for row in await pool.fetch("SELECT id FROM reports")} == {"open", "young"}
