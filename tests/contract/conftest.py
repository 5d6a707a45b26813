"""Both buses, each with topics that are this test's alone."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from shared.bus import Bus
from shared.bus.kafka import KafkaAccess, KafkaBus
from shared.bus.postgres import PostgresBus
from shared.events import Topic
from shared.migrate import migrate_bus


@pytest.fixture(params=["postgres", "kafka"])
def address(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Which bus, and where: a database of its own, or the broker that all tests share."""
    fixture = {"postgres": "database", "kafka": "kafka"}[request.param]
    return request.param, request.getfixturevalue(fixture)


@pytest.fixture
async def bus(address: tuple[str, str]) -> AsyncIterator[Bus]:
    """The implementation under test."""
    kind, where = address
    if kind == "postgres":
        await migrate_bus(where, None)
    bus: Bus = PostgresBus(where) if kind == "postgres" else KafkaBus(KafkaAccess(where))
    yield bus
    await bus.close()


@pytest.fixture
async def topic(bus: Bus) -> str:
    """A topic of three partitions."""
    name = f"test.{uuid4().hex}"
    await bus.create_topics([Topic(name, 3, timedelta(days=1), compacted=False)])
    return name


@pytest.fixture
def group() -> str:
    """The name of a group that nobody else is in."""
    return uuid4().hex
