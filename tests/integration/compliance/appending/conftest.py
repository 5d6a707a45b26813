"""A database with small partitions, a bus, and processes to write with."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.bus import Bus
from shared.bus.kafka import KafkaAccess, KafkaBus
from shared.bus.postgres import PostgresBus
from shared.database import Pool
from shared.migrate import create_topics
from tests.conftest import execute
from tests.integration.compliance.appending.proxy import Proxy
from tests.integration.compliance.appending.stage import Source, Stage, Writers, writers
from tests.integration.conftest import login
from tests.parts.kafka import KafkaBroker


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


@pytest.fixture(params=["postgres", "kafka"])
def kafka_or_none(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | None]:
    """The address of a broker that is this test's alone, or None for the embedded bus."""
    if request.param == "postgres":
        yield None
        return
    with KafkaBroker(tmp_path / "kafka") as broker:
        yield broker.bootstrap


@pytest.fixture
async def either_bus(stage: Stage, kafka_or_none: str | None) -> AsyncIterator[Bus]:
    """The bus under test, with all topics."""
    bus: Bus = PostgresBus(stage.bus_dsn) if kafka_or_none is None else KafkaBus(KafkaAccess(kafka_or_none))
    await create_topics(bus)
    yield bus
    await bus.close()
