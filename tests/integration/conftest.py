"""Integration tests get a database with every service's tables in it, and can run services over it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.up.postgres import EmbeddedPostgres
from shared.bus.postgres import PostgresBus
from shared.database import Pool
from shared.issuer import Issuer
from shared.migrate import create_topics, migrate_bus, migrate_service
from shared.service import Service
from shared.settings import ServiceSettings
from tests.conftest import execute
from tests.harness import BuildAny, Harness, Voice, running, speaking_as
from tests.news import TELL

SERVICES = Path(__file__).parents[2] / "services"
OWNING = ("inventory", "maintenance", "probes", "backup", "compliance", "notifier")
PASSWORD = secrets.token_urlsafe(16)
TEMPLATE = "steward_template"

Run = Callable[..., AbstractAsyncContextManager[Harness]]
Speak = Callable[[str], AbstractAsyncContextManager[Voice]]


@pytest.fixture(scope="session")
def database_template(postgres: EmbeddedPostgres) -> str:
    """A database with every schema, role, table and topic, whose tables tell of their changes."""
    asyncio.run(_make_template(postgres))
    return TEMPLATE


async def _make_template(postgres: EmbeddedPostgres) -> None:
    await execute(postgres.dsn(), f"CREATE DATABASE {TEMPLATE}")
    dsn = postgres.dsn(TEMPLATE)
    for service in OWNING:
        await migrate_service(dsn, service, SERVICES / service / "migrations", PASSWORD)
    await migrate_bus(dsn, PASSWORD)
    await execute(dsn, TELL)
    bus = PostgresBus(dsn)
    await create_topics(bus)
    await bus.close()


def login(database: str, role: str) -> str:
    """The DSN of ``database`` for a service's own role."""
    return database.replace(database.split("//")[1].split("@")[0], f"{role}:{PASSWORD}")


def settings_for(kind: type[ServiceSettings], service: str, database: str, folder: Path, **more: Any) -> Any:
    """A service's settings on the embedded bus."""
    return kind(
        database=login(database, f"steward_{service}"),
        bus="postgres",
        bus_database=login(database, "steward_bus"),
        oidc_jwks=str(Issuer(folder).jwks_file),
        **more,
    )


@pytest.fixture
async def bus(database: str) -> AsyncIterator[PostgresBus]:
    """The embedded bus in this test's database."""
    bus = PostgresBus(login(database, "steward_bus"))
    yield bus
    await bus.close()


def _build(build: Callable[[Pool, Any], Service], settings: ServiceSettings, pool: Pool) -> Service:
    return build(pool, settings)


@pytest.fixture
def run(database: str, bus: PostgresBus, tmp_path: Path) -> Run:
    """Runs services: ``async with run(inventory=(build, InventorySettings, {…})) as harness``.

    ``build`` takes (pool, settings), as in each service's ``__main__``.
    """

    def start(**services: tuple[Callable[..., Any], type[ServiceSettings], dict[str, Any]]) -> Any:
        builds: dict[str, BuildAny] = {}
        settings: dict[str, ServiceSettings] = {}
        for name, (build, kind, more) in services.items():
            settings[name] = settings_for(kind, name, database, tmp_path, **more)
            builds[name] = partial(_build, build, settings[name])
        return running(builds, settings, bus, tmp_path)

    return start


@pytest.fixture
def speak(database: str, bus: PostgresBus) -> Speak:
    """Publishes for a service that is not run: ``async with speak("inventory") as inventory``."""
    return lambda service: speaking_as(service, login(database, f"steward_{service}"), bus)
