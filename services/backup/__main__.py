"""Wires backup."""

import uvloop

from services.backup.runs.api import router as runs
from services.backup.runs.restic import Restic
from services.backup.runs.schedule import Runner
from services.backup.sets import consumer as sets
from services.backup.sets.api import sets_router
from services.backup.sets.roots import Roots
from services.backup.settings import BackupSettings
from shared.database import Pool
from shared.service import Service, run_alone
from shared.settings import load


def build(pool: Pool, settings: BackupSettings) -> Service:
    """Backup over its database and this machine's repositories."""
    roots = Roots(settings.backup_roots, (settings.backup_repositories, settings.backup_work))
    engine = Restic(
        program=settings.backup_restic,
        repositories=settings.backup_repositories,
        work=settings.backup_work,
        password=settings.backup_password,
        timeout=settings.backup_timeout,
        roots=roots,
    )
    runner = Runner(pool, settings.database, engine, settings.backup_lease)
    return Service(
        name="backup",
        routers=[sets_router(roots), runs],
        handlers=[sets.HANDLERS],
        work={f"runner-{number}": runner.run for number in range(settings.backup_parallel)},
    )


def main() -> None:
    """Runs backup alone."""
    settings = load(BackupSettings)
    uvloop.run(run_alone("backup", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
