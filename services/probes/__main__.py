"""Wires probes."""

import uvloop

from services.probes.alerts.api import router as alerts
from services.probes.alerts.consumer import HANDLERS as WINDOWS
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
    return Service(
        name="probes",
        routers=[targets, kinds, results, alerts],
        handlers=[asset_handlers(settings.cadence), WINDOWS],
        work={"runs": runner.run, "rollups": Roller(pool).run, "sweep": sweeper.run},
    )


def main() -> None:
    """Runs probes alone."""
    settings = load(ProbesSettings)
    uvloop.run(run_alone("probes", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
