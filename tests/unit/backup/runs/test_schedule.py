"""How a runner keeps its run while the database is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from pydantic import SecretStr

from services.backup.runs.domain import Lease, Run
from services.backup.runs.restic import Restic
from services.backup.runs.schedule import Runner
from services.backup.sets.roots import Roots
from shared.database import Pool

LEASE_SECONDS = 0.9


class Flickering:
    """A pool whose database is away for the first ``failures`` attempts, renews once, and then has lost the lease."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.answers: list[bool] = [True, False]
        self.renewed = 0

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["Flickering"]:
        """A connection, if the database is there."""
        if self.failures:
            self.failures -= 1
            raise ConnectionRefusedError("the database is away")
        yield self

    async def fetchval(self, *_: object) -> bool:
        """Whether the lease was extended."""
        held = self.answers.pop(0)
        self.renewed += held
        return held


def leased_run() -> Lease:
    """A run that this runner has just taken."""
    run = Run(
        id="r",
        set_id="s",
        system_id="y",
        site_id="north",
        scope="archive",
        engine="restic",
        path="/srv",
        repository="north",
        state="leased",
        requested_by="olga",
        planned_at=datetime(2027, 1, 1, tzinfo=UTC),
        version=1,
    )
    return Lease(run, "lease", "flow", None, repository_known=True)


@pytest.mark.parametrize(("failures", "renewed"), [(0, 1), (6, 1), (50, 0)])
async def test_lease_outlives_a_database_that_is_away_for_less_than_two_thirds_of_it(
    tmp_path: Path, failures: int, renewed: int
) -> None:
    """A renewal that failed is tried again soon; a database that stays away for the whole lease costs the run."""
    engine = Restic("restic", tmp_path, tmp_path, SecretStr("x"), 1, Roots((), ()))
    pool = Flickering(failures)
    await Runner(cast(Pool, pool), "", engine, LEASE_SECONDS)._keep_lease(leased_run())
    assert pool.renewed == renewed
