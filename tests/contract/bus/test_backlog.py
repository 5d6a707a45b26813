"""A backlog: each message once, in its partition's order, and on Kafka no partition far ahead of another."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from shared.bus import Bus, Message, Subscription
from shared.bus.kafka import FAR_BEHIND, KafkaBus, partition_of
from shared.bus.protocol import Batch
from tests.contract.bus.test_bus import WAIT_SECONDS, from_start

MESSAGES = 16_000
AT_ONCE = 500
MESSAGE_BYTES = 700
LIMIT = 16_384
SHARES = (7, 2, 1)


def keys(topic: str) -> Sequence[str]:
    """A key of each partition, as often as its share of the messages is."""
    found: dict[int, str] = {}
    for number in range(1000):
        found.setdefault(partition_of(b"key-%d" % number, len(SHARES)), f"key-{number}")
    return [key for share, key in zip(SHARES, found.values(), strict=True) for _ in range(share)]


async def publish_backlog(bus: Bus, topic: str, name: str) -> None:
    """Numbered messages, of which one partition gets most."""
    cycle = keys(topic)
    async with bus.publisher(name) as publisher:
        for start in range(0, MESSAGES, AT_ONCE):
            numbers = range(start, start + AT_ONCE)
            await publisher.publish(
                [Message(topic, cycle[n % len(cycle)], b"%d" % n + b" " * MESSAGE_BYTES) for n in numbers]
            )


async def polls(subscription: Subscription) -> AsyncIterator[Sequence[Batch]]:
    """What each poll gives, until all messages have come."""
    left = MESSAGES
    async with asyncio.timeout(WAIT_SECONDS):
        while left:
            batches = await subscription.poll(LIMIT, 1.0)
            left -= sum(len(batch.messages) for batch in batches)
            yield batches


async def test_a_lone_reader_gets_a_backlog_once_in_order_and_in_step(bus: Bus, topic: str, group: str) -> None:
    """Each batch goes on where the partition's last one ended, even while some of what came is held back.

    On Kafka, whose broker says when it took each message, partitions of few messages wait for the one of many.
    """
    await publish_backlog(bus, topic, group)
    ends: dict[int, int] = {}
    given: dict[int, list[int]] = {}
    async with bus.subscription(group, [topic], from_start, alone=True) as subscription:
        async for batches in polls(subscription):
            for batch in batches:
                offsets = [offset for offset, _ in batch.messages]
                assert offsets == sorted(set(offsets))
                assert all(ends.get(batch.partition, 0) <= offset < batch.end for offset in offsets)
                ends[batch.partition] = batch.end
                given.setdefault(batch.partition, []).extend(int(value) for _, value in batch.messages)
            if isinstance(bus, KafkaBus):
                assert_in_step(given)
    assert sorted(number for numbers in given.values() for number in numbers) == list(range(MESSAGES))
    assert all(numbers == sorted(numbers) for numbers in given.values())


def assert_in_step(given: dict[int, list[int]]) -> None:
    """No partition is ahead of the largest by more than one publication, until that one is nearly read."""
    largest = max(given.values(), key=len)
    if len(largest) < MESSAGES * SHARES[0] // sum(SHARES) - 2 * FAR_BEHIND:
        assert max(numbers[-1] for numbers in given.values() if numbers) <= largest[-1] + AT_ONCE
