"""What every test may ask for: a database of its own, and the real parts, each started when first asked for."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import asyncpg
import hypothesis
import pytest

from services.up.postgres import EmbeddedPostgres
from tests.parts.dcmtk import Dcmqrscp
from tests.parts.kafka import KafkaBroker, running_broker
from tests.parts.orthanc import Orthanc
from tests.parts.smtp import SmtpServer
from tests.sharing import SharedParts, rank_of

# A machine that is busy with other tests makes any single example slow now and then.
hypothesis.settings.register_profile("steward", deadline=None)
hypothesis.settings.load_profile("steward")

UNIT_TESTS = Path(__file__).parent / "unit"
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
MEMORY = Path("/dev/shm")  # noqa: S108 -- only the system's own processes may look into the folder made there
ENOUGH_MEMORY = 4 << 30


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Unit tests get no socket at all, apart from the one that asyncio wakes itself with."""
    for item in items:
        if item.path.is_relative_to(UNIT_TESTS):
            item.add_marker(pytest.mark.disable_socket)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank_of(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharedParts:
    """The processes of `pytest -n` share the tests so that no slow part is started more often than needed."""
    config.option.loadscopereorder = False
    return SharedParts(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each kill test: how it ended, on which bus, and the setting that repeats it."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            seed = dict(report.user_properties).get("seed")
            if seed is not None:
                bus = report.nodeid.rpartition("[")[2].partition("-")[0]
                terminalreporter.write_line(f"kill test on {bus} {outcome}; STEWARD_KILL_SEED={seed} repeats it")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server for all tests of this process; it is fast because it forgets its data when it crashes."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_MEMORY
    parent = MEMORY if in_memory else tmp_path_factory.getbasetemp()
    with (
        TemporaryDirectory(prefix="steward-tests-", dir=parent) as folder,
        EmbeddedPostgres(Path(folder), NOT_DURABLE) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def database_template() -> str:
    """The database that ``database`` is a copy of; a folder of tests may define its own, with tables in it."""
    return "template0"


@pytest.fixture
async def database(postgres: EmbeddedPostgres, database_template: str) -> AsyncIterator[str]:
    """The superuser's DSN of a database that is this test's alone."""
    name = f"test_{uuid4().hex}"
    await execute(postgres.dsn(), f"CREATE DATABASE {name} TEMPLATE {database_template} STRATEGY FILE_COPY")
    yield postgres.dsn(name)
    await execute(postgres.dsn(), f"DROP DATABASE {name} WITH (FORCE)")


async def execute(dsn: str, statement: str) -> None:
    """Runs one statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Kafka broker for all tests of this process: the one STEWARD_KAFKA names, or our own."""
    running = running_broker()
    if running:
        yield running
        return
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.bootstrap


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc archive for all tests of this process; a test that stops one starts its own."""
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as archive:
        yield archive


@pytest.fixture(scope="session")
def dcmqrscp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dcmqrscp]:
    """DCMTK's archive for all tests of this process; a test that stops one starts its own."""
    with Dcmqrscp(tmp_path_factory.mktemp("dcmqrscp")) as archive:
        yield archive


@pytest.fixture
async def mail_server() -> AsyncIterator[SmtpServer]:
    """A mail server that is this test's alone."""
    async with SmtpServer() as server:
        yield server
