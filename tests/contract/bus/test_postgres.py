"""What only the embedded bus promises."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from shared.bus import Message
from shared.bus.postgres import FALLBACK_SECONDS, PostgresBus
from shared.bus.protocol import PartitionId
from shared.errors import Unavailable
from shared.events import Topic
from shared.migrate import migrate_bus


async def test_a_bus_that_was_put_back_is_not_read_on_in_silence(database: str) -> None:
    """A reader that has read more than there is is told so, instead of passing over what comes next."""
    await migrate_bus(database, None)
    bus = PostgresBus(database)
    await bus.create_topics([Topic("test.counted", 1, timedelta(days=1), compacted=False)])
    async with bus.publisher("producer") as publisher:
        await publisher.publish([Message("test.counted", "a", b"1")])

    async def read_to_the_second(_: Sequence[PartitionId]) -> Mapping[PartitionId, int]:
        return {("test.counted", 0): 2}

    with pytest.raises(Unavailable, match="ends at 1 but was read to 2"):
        await bus.subscription("group", ["test.counted"], read_to_the_second).__aenter__()
    await bus.close()


async def test_a_member_that_was_stopped_does_not_keep_its_place_for_ever(database: str) -> None:
    """Its session lives on without asking for anything; another gets its turn, and it is told so when it goes on."""
    await migrate_bus(database, None)
    bus = PostgresBus(database, silent_seconds=1.0)
    await bus.create_topics([Topic("test.counted", 1, timedelta(days=1), compacted=False)])

    async def from_start(_: Sequence[PartitionId]) -> Mapping[PartitionId, int]:
        return {}

    async with (
        asyncio.timeout(30),
        bus.subscription("group", ["test.counted"], from_start) as stopped,
        bus.subscription("group", ["test.counted"], from_start) as successor,
    ):
        with pytest.raises(Unavailable):
            await stopped.poll(10, 0.1)
        assert await successor.poll(10, 0.1) == []
    await bus.close()


async def test_a_member_that_waits_for_messages_keeps_its_place(database: str) -> None:
    """Waiting is no silence, however long nothing is published."""
    await migrate_bus(database, None)
    bus = PostgresBus(database, silent_seconds=2 * FALLBACK_SECONDS)
    await bus.create_topics([Topic("test.counted", 1, timedelta(days=1), compacted=False)])

    async def from_start(_: Sequence[PartitionId]) -> Mapping[PartitionId, int]:
        return {}

    async def wait_for_turn() -> None:
        async with bus.subscription("group", ["test.counted"], from_start):
            pass

    async with bus.subscription("group", ["test.counted"], from_start) as waiting:
        other = asyncio.create_task(wait_for_turn())
        assert await waiting.poll(10, 2.5 * FALLBACK_SECONDS) == []
        assert not other.done()
        other.cancel()
    await bus.close()
