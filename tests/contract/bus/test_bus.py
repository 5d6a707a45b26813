"""What every bus promises (shared/bus/protocol.py)."""

import asyncio
import gc
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from asyncpg import CheckViolationError

from shared.bus import Bus, Message, Subscription
from shared.bus.protocol import MAX_MESSAGE_BYTES, PartitionId
from shared.errors import Fenced, Unavailable
from shared.events import Topic

WAIT_SECONDS = 60.0
Refusal = (Unavailable, CheckViolationError, MessageSizeTooLargeError)
Read = dict[PartitionId, list[tuple[int, bytes]]]


async def from_start(_: Sequence[PartitionId]) -> Mapping[PartitionId, int]:
    """The positions of a reader that has read nothing."""
    return {}


async def read(subscription: Subscription, count: int, into: Read | None = None) -> Read:
    """Polls until ``count`` messages have come."""
    found: Read = defaultdict(list) if into is None else into
    async with asyncio.timeout(WAIT_SECONDS):
        while sum(map(len, found.values())) < count:
            for batch in await subscription.poll(100, 1.0):
                found[batch.topic, batch.partition].extend(batch.messages)
    return found


def numbered(topic: str, key: str, numbers: range) -> list[Message]:
    """Messages of one key with their numbers as values."""
    return [Message(topic, key, b"%d" % number) for number in numbers]


async def test_messages_of_a_key_stay_in_one_partition_and_in_order(bus: Bus, topic: str, group: str) -> None:
    """Over several publishes, each key's messages are read in the order they were published."""
    async with bus.publisher(group) as publisher, bus.subscription(group, [topic], from_start) as subscription:
        for start in range(0, 60, 20):
            both = [numbered(topic, key, range(start, start + 20)) for key in ("a", "b")]
            await publisher.publish([message for pair in zip(*both, strict=True) for message in pair])
        found = await read(subscription, 120)
    values = [[int(value) for _, value in messages] for messages in found.values()]
    if len(values) == 1:  # both keys fell into one partition
        assert values[0] == sorted(list(range(60)) * 2)
    else:
        assert values == [list(range(60))] * 2
    for messages in found.values():
        offsets = [offset for offset, _ in messages]
        assert offsets == sorted(set(offsets))


async def test_what_was_published_is_there_for_who_comes_later(bus: Bus, topic: str, group: str) -> None:
    """A group that joins after the publish reads from the oldest message."""
    async with bus.publisher(group) as publisher:
        await publisher.publish(numbered(topic, "a", range(3)))
    async with bus.subscription(group, [topic], from_start) as subscription:
        [messages] = (await read(subscription, 3)).values()
    assert [value for _, value in messages] == [b"0", b"1", b"2"]


async def test_reading_goes_on_at_the_stored_position(bus: Bus, topic: str, group: str) -> None:
    """The reader's own database says where to go on, not the bus."""
    async with bus.publisher(group) as publisher:
        await publisher.publish(numbered(topic, "a", range(5)))
    async with bus.subscription(group, [topic], from_start) as subscription:
        [(where, messages)] = (await read(subscription, 5)).items()

    async def third(partitions: Sequence[PartitionId]) -> Mapping[PartitionId, int]:
        return {where: messages[2][0]} if where in partitions else {}

    async with bus.subscription(group, [topic], third) as subscription:
        [again] = (await read(subscription, 3)).values()
    assert again == messages[2:]


async def test_publishers_at_the_same_time_lose_nothing_of_each_other(bus: Bus, topic: str, group: str) -> None:
    """Several services may publish to one topic: each message has an offset of its own, and each keeps its order."""

    async def publish_all(name: str) -> None:
        async with bus.publisher(f"{group}-{name}") as publisher:
            for start in range(0, 100, 10):
                both = [numbered(topic, key, range(start, start + 10)) for key in (name, f"other-{name}")]
                await publisher.publish([message for messages in both for message in messages])

    await asyncio.gather(*(publish_all(name) for name in "abcd"))
    async with bus.subscription(group, [topic], from_start) as subscription:
        found = await read(subscription, 800)
    for messages in found.values():
        offsets = [offset for offset, _ in messages]
        assert offsets == sorted(set(offsets))
    values = [int(value) for messages in found.values() for _, value in messages]
    assert sorted(values) == sorted(list(range(100)) * 8)


async def test_two_groups_each_read_everything(bus: Bus, topic: str, group: str) -> None:
    """A group does not take messages from another."""
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(bus.publisher(group))
        groups = [
            await stack.enter_async_context(bus.subscription(f"{group}-{n}", [topic], from_start)) for n in range(2)
        ]
        await publisher.publish(numbered(topic, "a", range(4)))
        for subscription in groups:
            assert sum(map(len, (await read(subscription, 4)).values())) == 4


async def test_a_second_publisher_of_a_name_fences_the_first(bus: Bus, topic: str, group: str) -> None:
    """A relay that was paused and replaced can publish nothing more; its successor can."""
    async with bus.publisher(group) as zombie:
        await zombie.publish(numbered(topic, "a", range(1)))
        async with bus.publisher(group) as successor:
            with pytest.raises(Fenced):
                await zombie.publish(numbered(topic, "a", range(100, 110)))
            await successor.publish(numbered(topic, "a", range(1, 3)))
    async with bus.subscription(group, [topic], from_start) as subscription:
        [messages] = (await read(subscription, 3)).values()
    assert [value for _, value in messages] == [b"0", b"1", b"2"]


async def test_a_fenced_publisher_leaves_no_failure_unheard(bus: Bus, topic: str, group: str) -> None:
    """Who was replaced has been told so once; nothing of it comes up again in the log when memory is collected."""
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    async with bus.publisher(group) as zombie, bus.publisher(group):
        with pytest.raises(Fenced):
            await zombie.publish(numbered(topic, "a", range(10)))
    del zombie
    gc.collect()
    assert unheard == []


async def test_a_batch_that_fails_in_part_is_not_seen_in_part(bus: Bus, topic: str, group: str) -> None:
    """A message that the bus refuses takes its whole batch with it."""
    too_large = Message(topic, "a", b"x" * (MAX_MESSAGE_BYTES + 4096))
    async with bus.publisher(group) as publisher:
        with pytest.raises(Refusal):
            await publisher.publish([*numbered(topic, "a", range(5)), too_large])
    async with bus.publisher(group) as publisher:
        await publisher.publish(numbered(topic, "a", range(10, 12)))
    async with bus.subscription(group, [topic], from_start) as subscription:
        [messages] = (await read(subscription, 2)).values()
    assert [value for _, value in messages] == [b"10", b"11"]


async def test_a_message_of_ten_megabytes_is_refused(bus: Bus, topic: str, group: str) -> None:
    """No producer can put a message on the bus that its readers could not quarantine."""
    async with bus.publisher(group) as publisher:
        with pytest.raises(Refusal):
            await publisher.publish([Message(topic, "a", b"x" * 10_000_000)])


async def test_a_topic_that_nobody_made_is_refused(bus: Bus, group: str) -> None:
    """Topics come from `steward migrate`, never from a misspelling."""
    async with bus.publisher(group) as publisher:
        with pytest.raises(Unavailable):
            await publisher.publish(numbered(f"missing.{uuid4().hex}", "a", range(1)))


async def test_another_member_takes_over_when_the_reader_goes(bus: Bus, topic: str, group: str) -> None:
    """While one member reads the other waits or shares; when it goes, the other reads the rest."""
    stored: dict[PartitionId, int] = {}

    async def positions(partitions: Sequence[PartitionId]) -> Mapping[PartitionId, int]:
        return {where: stored[where] for where in partitions if where in stored}

    async with bus.publisher(group) as publisher:
        async with bus.subscription(group, [topic], positions) as first:
            await publisher.publish(numbered(topic, "a", range(3)))
            [(where, messages)] = (await read(first, 3)).items()
            stored[where] = messages[-1][0] + 1
        await publisher.publish(numbered(topic, "a", range(3, 6)))
    async with bus.subscription(group, [topic], positions) as second:
        [rest] = (await read(second, 3)).values()
    assert [value for _, value in rest] == [b"3", b"4", b"5"]


async def test_an_idle_poll_ends_at_its_timeout(bus: Bus, topic: str, group: str) -> None:
    """Without news a poll comes back empty."""
    async with bus.subscription(group, [topic], from_start) as subscription, asyncio.timeout(WAIT_SECONDS):
        assert await subscription.poll(10, 0.2) == []


async def test_a_poll_wakes_when_something_is_published(bus: Bus, topic: str, group: str) -> None:
    """A waiting reader gets the message long before its poll's timeout."""
    async with bus.publisher(group) as publisher, bus.subscription(group, [topic], from_start) as subscription:
        await subscription.poll(10, 0.5)
        waiting = asyncio.create_task(read(subscription, 1))
        await publisher.publish(numbered(topic, "a", range(1)))
        assert sum(map(len, (await waiting).values())) == 1


async def test_making_a_topic_again_keeps_its_messages(bus: Bus, topic: str, group: str) -> None:
    """`steward migrate` can run at any time."""
    async with bus.publisher(group) as publisher:
        await publisher.publish(numbered(topic, "a", range(2)))
        await bus.create_topics([Topic(topic, 3, timedelta(days=2), compacted=False)])
    async with bus.subscription(group, [topic], from_start) as subscription:
        assert sum(map(len, (await read(subscription, 2)).values())) == 2
