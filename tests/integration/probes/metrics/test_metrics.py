"""What Prometheus scrapes of a running service."""

from prometheus_client.parser import text_string_to_metric_families

from services.probes.metrics.api import router
from services.probes.settings import ProbesSettings
from shared.database import Pool
from shared.service import Service
from tests.integration.conftest import Run
from tests.integration.probes.fleet import FAST
from tests.integration.probes.history.past import MINUTE, SUBJECT, keep, next_hour, result

SOUTH = "0198c1f2-6d1c-7a53-9d1f-000000000002"
PROBE = """INSERT INTO probes (id, kind, subject, site_id, name, settings, interval, retry_interval, timeout,
               depends_on, limits, is_heavy, next_due)
           VALUES ($1, 'dicom-echo', $2, $3, $3 || '-pacs', '{}', '60 s', '20 s', '10 s', '{}', '{}', false, now())"""


def build(pool: Pool, _: ProbesSettings) -> Service:
    """Probes with nothing but their metrics."""
    return Service(name="probes", routers=[router])


async def test_scrape_tells_the_last_run_of_each_probe_of_ones_sites(run: Run) -> None:
    """The latest by its due time, of the callers' sites, or of one of them; and nothing without a key."""
    async with run(probes=(build, ProbesSettings, FAST)) as steward:
        pool = steward.pools["probes"]
        due_at = await next_hour(pool)
        for subject, site_id in ((SUBJECT, "north"), (SOUTH, "south")):
            probe_id = f"dicom-echo:{subject}"
            await pool.execute(PROBE, probe_id, subject, site_id)
            about = {"site_id": site_id, "subject": subject}
            await keep(pool, [result(due_at + MINUTE, probe_id, outcome="failed", **about)])
            await keep(pool, [result(due_at, probe_id, **about)], due_at + MINUTE)
        for grants, query, sites in (
            ("viewer:*", {}, {"north", "south"}),
            ("viewer:*", {"site_id": "south"}, {"south"}),
            ("viewer:north", {}, {"north"}),
            ("viewer:north", {"site_id": "south"}, set()),
        ):
            async with steward.as_("grafana", grants) as grafana:
                answer = await grafana.get("/probes/v1/metrics", params=query)
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            families = {family.name: family.samples for family in text_string_to_metric_families(answer.text)}
            outcomes = {sample.labels["site"]: sample.value for sample in families["steward_probe_outcome"]}
            assert outcomes == dict.fromkeys(sites, 2.0)
            last = {sample.value for sample in families["steward_probe_last_run_timestamp_seconds"]}
            assert last == ({(due_at + MINUTE).timestamp()} if sites else set())
        assert (await steward.http.get("/probes/v1/metrics")).status_code == 401
