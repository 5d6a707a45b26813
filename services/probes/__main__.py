"""Wires probes."""

import uvloop

from services.probes.agents.api import agents_router
from services.probes.alerts.api import router as alerts
from services.probes.alerts.consumer import HANDLERS as WINDOWS
from services.probes.alerts.schedule import Watcher
from services.probes.checks.api import router as checks
from services.probes.checks.consumer import HANDLERS as CHECKS
from services.probes.history.api import router as results
from services.probes.kinds import KINDS
from services.probes.kinds.api import router as kinds
from services.probes.rollups.schedule import Roller, Sweeper
from services.probes.runs.schedule import Runner
from services.probes.settings import ProbesSettings
from services.probes.targets.api import router as targets
from services.probes.targets.consumer import asset_handlers
from shared.database import Pool
from shared.service import Service, run_alone
from shared.settings import load


def build(pool: Pool, settings: ProbesSettings) -> Service:
    """Probes over its database."""
    sweeper = Sweeper(pool, settings.history, settings.fine_history, settings.coarse_history)
    runner = Runner(pool, settings, [kind.configured(settings) for kind in KINDS])
    watcher = Watcher(pool, settings.policy, settings.alert_history, settings.probe_retry_interval)
    return Service(
        name="probes",
        routers=[targets, checks, kinds, results, alerts, agents_router(settings.policy)],
        handlers=[asset_handlers(settings.cadence), CHECKS, WINDOWS],
        work={"runs": runner.run, "rollups": Roller(pool).run, "alerts": watcher.run, "sweep": sweeper.run},
    )


def main() -> None:
    """Runs probes alone."""
    settings = load(ProbesSettings)
    uvloop.run(run_alone("probes", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
