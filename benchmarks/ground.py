"""What benchmarks stand on: an embedded PostgreSQL that keeps its promises to the disk, a Kafka broker, databases."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import cached_property
from pathlib import Path

import asyncpg

from services.registry import OWNING_DATA, migrations
from services.up.postgres import EmbeddedPostgres
from shared.bus import Bus
from shared.bus.kafka import KafkaAccess, KafkaBus
from shared.bus.postgres import PostgresBus
from shared.migrate import create_topics, migrate_bus, migrate_service
from tests.parts.kafka import KafkaBroker

PROJECT = Path(__file__).parents[1]
PASSWORD = secrets.token_urlsafe(16)


class Ground:
    """The real parts, each started when first asked for; ``stack`` stops them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack

    @cached_property
    def postgres(self) -> EmbeddedPostgres:
        """A server as `steward up` runs it: every commit is on disk before it is answered."""
        return self._stack.enter_context(EmbeddedPostgres(self.folder / "postgres"))

    @asynccontextmanager
    async def house(self, kind: str) -> AsyncIterator["House"]:
        """A new database with every service's tables, and every topic on an empty bus of that kind."""
        name = f"bench_{secrets.token_hex(4)}"
        await execute(self.postgres.dsn(), f"CREATE DATABASE {name}")
        with ExitStack() as stack:
            broker = stack.enter_context(KafkaBroker(self.folder / name)) if kind == "kafka" else None
            house = House(self.postgres, name, broker.bootstrap if broker else None)
            await self._furnish(house)
            yield house
        await execute(self.postgres.dsn(), f"DROP DATABASE {name} WITH (FORCE)")

    @staticmethod
    async def _furnish(house: "House") -> None:
        for service in OWNING_DATA:
            await migrate_service(house.owner, service, migrations(service), PASSWORD)
        await migrate_bus(house.owner, PASSWORD)
        bus = house.bus()
        await create_topics(bus)
        await bus.close()


class House:
    """One database of all services, and the bus they use."""

    def __init__(self, postgres: EmbeddedPostgres, database: str, kafka: str | None) -> None:
        self._postgres = postgres
        self._database = database
        self.kafka = kafka

    @property
    def owner(self) -> str:
        """The superuser's DSN."""
        return self._postgres.dsn(self._database)

    def login(self, schema: str) -> str:
        """The DSN of a service's own role."""
        return self._postgres.dsn(self._database, f"steward_{schema}", PASSWORD)

    def bus(self) -> Bus:
        """A new client of the bus."""
        return PostgresBus(self.login("bus")) if self.kafka is None else KafkaBus(KafkaAccess(self.kafka))


async def execute(dsn: str, statement: str) -> None:
    """Runs one statement on a connection of its own."""
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


async def cancel(task: "asyncio.Task[None]") -> None:
    """Ends a task that never ends by itself. Raises what it failed with."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
