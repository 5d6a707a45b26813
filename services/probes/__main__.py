"""Wires probes."""

import uvloop

from services.probes.agents.api import agents_router
from services.probes.alerts.api import router as alerts
from services.probes.alerts.schedule import Watcher
from services.probes.baselines.api import router as baselines
from services.probes.baselines.consumer import HANDLERS as SITES
from services.probes.checks.api import router as checks
from services.probes.checks.consumer import HANDLERS as CHECKS
from services.probes.conformance.api import router as conformance
from services.probes.history.api import router as results
from services.probes.kinds import KINDS
from services.probes.kinds.api import router as kinds
from services.probes.kpis.api import router as kpis
from services.probes.metrics.api import router as metrics
from services.probes.reports.api import router as reports
from services.probes.rollups.schedule import Roller, Sweeper
from services.probes.runs.schedule import Runner
from services.probes.settings import ProbesSettings
from services.probes.suites.api import runs_router, suites_router
from services.probes.suites.consumer import HANDLERS as SUITES
from services.probes.suites.handlers import SUITE_KINDS
from services.probes.suites.schedule import SuiteRunner
from services.probes.targets.api import router as targets
from services.probes.targets.consumer import asset_handlers
from services.probes.windows.consumer import HANDLERS as WINDOWS
from shared.database import Pool
from shared.service import Service, run_alone
from shared.settings import load


def build(pool: Pool, settings: ProbesSettings) -> Service:
    """Probes over its database."""
    sweeper = Sweeper(pool, settings.history, settings.fine_history, settings.coarse_history, settings.suite_history)
    runner = Runner(pool, settings, [kind.configured(settings) for kind in KINDS])
    suite_kinds = {name: kind.configured(settings) for name, kind in SUITE_KINDS.items()}
    suites = SuiteRunner(pool, settings.database, suite_kinds, settings.probe_site_vantages)
    watcher = Watcher(pool, settings.policy, settings.alert_history, settings.probe_retry_interval)
    return Service(
        name="probes",
        routers=[
            targets,
            checks,
            baselines,
            kinds,
            results,
            kpis,
            metrics,
            reports,
            alerts,
            agents_router(settings.policy),
            suites_router,
            runs_router,
            conformance,
        ],
        handlers=[asset_handlers(settings.defaults), CHECKS, WINDOWS, SITES, SUITES],
        work={
            "runs": runner.run,
            "rollups": Roller(pool).run,
            "alerts": watcher.run,
            "suites": suites.run,
            "sweep": sweeper.run,
        },
    )


def main() -> None:
    """Runs probes alone."""
    settings = load(ProbesSettings)
    uvloop.run(run_alone("probes", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
