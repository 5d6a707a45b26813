"""A database with small partitions, a bus, and processes to write with."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.bus.postgres import PostgresBus
from shared.database import Pool
from tests.conftest import execute
from tests.integration.compliance.appending.proxy import Proxy
from tests.integration.compliance.appending.stage import Source, Stage, Writers, writers
from tests.integration.conftest import login


@pytest.fixture
async def stage(database: str) -> Stage:
    """A log that begins a new partition every 512 entries, on the embedded bus."""
    await execute(database, "UPDATE compliance.head SET partition_entries = 512")
    dsn = login(database, "steward_compliance")
    return Stage(dsn, dsn, login(database, "steward_bus"))


@pytest.fixture
async def pool(stage: Stage) -> AsyncIterator[Pool]:
    """The test's own connections in the role of the service."""
    pool = await stage.pool()
    yield pool
    pool.terminate()


@pytest.fixture
async def source(bus: PostgresBus) -> Source:
    """Publishes events on the embedded bus."""
    return Source(bus)


@pytest.fixture
async def proxy(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxy]:
    """A way to the database that can be cut."""
    folder: Path = tmp_path_factory.mktemp("p")
    async with Proxy(stage.direct, folder) as proxy:
        yield proxy


@pytest.fixture
def processes() -> Iterator[Writers]:
    """Writers in processes of their own."""
    with writers() as started:
        yield started
