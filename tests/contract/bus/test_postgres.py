"""What only the embedded bus promises."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from shared.bus import Message
from shared.bus.postgres import PostgresBus
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
