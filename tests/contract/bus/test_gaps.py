"""What the bus dropped before it was read is told, and nothing else looks like it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.bus import Batch, Bus, Message, Subscription
from shared.bus.postgres import PostgresBus
from shared.bus.protocol import PartitionId, Positions
from shared.errors import Unavailable
from shared.events import Topic
from tests.contract.bus.test_bus import WAIT_SECONDS, from_start, numbered


class Dropper:
    """Makes the bus forget its oldest messages, as it does once their retention is over."""

    def __init__(self, bus: Bus, address: tuple[str, str], topic: str, partitions: int = 1) -> None:
        self._bus = bus
        self._kind, self._where = address
        self._partitions = partitions
        self.topic = topic

    async def drop(self, below: int | None = None) -> None:
        """Drops the messages of each partition with offsets lower than ``below``; without it, all that there are."""
        await (self._expire(below) if self._kind == "postgres" else self._delete(below))

    async def _expire(self, below: int | None) -> None:
        conn = await asyncpg.connect(self._where, server_settings={"search_path": "bus"})
        await conn.execute(
            """UPDATE log SET published_at = published_at - interval '100 years' WHERE topic = $1 AND "offset" < $2""",
            self.topic,
            below if below is not None else 2**62,
        )
        await conn.close()
        await self._bus.sweep()

    async def _delete(self, below: int | None) -> None:
        """-1 stands for the end of the log, behind the last marker (KIP-107)."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._where)
        await admin.start()
        partitions = [TopicPartition(self.topic, number) for number in range(self._partitions)]
        await admin.delete_records({where: RecordsToDelete(-1 if below is None else below) for where in partitions})
        await admin.close()


@pytest.fixture
async def topic(bus: Bus, group: str) -> str:
    """A topic of one partition, so that offsets are known."""
    name = f"test.{group}"
    await bus.create_topics([Topic(name, 1, timedelta(days=1), compacted=False)])
    return name


@pytest.fixture
def dropper(bus: Bus, address: tuple[str, str], topic: str) -> Dropper:
    """Drops messages of the topic."""
    return Dropper(bus, address, topic)


def stored(topic: str, position: int) -> Positions:
    """The positions of a reader that has come to ``position``."""

    async def positions(partitions: Sequence[PartitionId]) -> Mapping[PartitionId, int]:
        return {(topic, 0): position}

    return positions


async def batches(subscription: Subscription, until: bytes | None) -> list[Batch]:
    """All batches up to the one with the message ``until``, or up to the first that tells of a loss."""
    found: list[Batch] = []
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            found += await subscription.poll(100, 0.2)
            if any(batch.lost if until is None else until in values(batch) for batch in found):
                return found


async def idle(subscription: Subscription) -> list[Batch]:
    """What comes in a while in which nothing is published."""
    return [batch for _ in range(5) for batch in await subscription.poll(100, 0.2)]


def values(batch: Batch) -> list[bytes]:
    """The messages themselves."""
    return [value for _, value in batch.messages]


async def publish(bus: Bus, topic: str, numbers: range) -> None:
    """Publishes numbered messages in one transaction."""
    async with bus.publisher(topic) as publisher:
        await publisher.publish(numbered(topic, "a", numbers))


@pytest.mark.parametrize("alone", [False, True])
async def test_what_was_dropped_before_it_was_read_is_told_with_what_is_left(
    bus: Bus, topic: str, dropper: Dropper, group: str, alone: bool
) -> None:
    """A reader that stopped at 3 and finds that the messages below 6 are gone."""
    await publish(bus, topic, range(10))
    await dropper.drop(below=6)
    async with bus.subscription(group, [topic], stored(topic, 3), alone=alone) as subscription:
        found = await batches(subscription, b"9")
        assert [batch.lost for batch in found if batch.lost] == [(3, 6)]
        assert [value for batch in found for value in values(batch)] == [b"6", b"7", b"8", b"9"]
        assert not [batch for batch in await idle(subscription) if batch.lost]


@pytest.mark.parametrize("alone", [False, True])
async def test_a_gap_with_nothing_behind_it_is_told_too(
    bus: Bus, topic: str, dropper: Dropper, group: str, alone: bool
) -> None:
    """Everything is gone; the position to read on from lies behind the gap, from where the next message is read."""
    await publish(bus, topic, range(4))
    await dropper.drop()
    async with bus.subscription(group, [topic], stored(topic, 1), alone=alone) as subscription:
        [batch] = await batches(subscription, None)
        assert batch.lost is not None
        assert (batch.lost[0], batch.messages, batch.end) == (1, [], batch.lost[1])
        assert batch.end >= 4
    async with bus.subscription(f"{group}-on", [topic], stored(topic, batch.end), alone=alone) as subscription:
        await publish(bus, topic, range(4, 5))
        found = await batches(subscription, b"4")
        assert [batch.lost for batch in found] == [None]


async def test_a_reader_that_never_read_is_told_what_it_missed(
    bus: Bus, topic: str, dropper: Dropper, group: str
) -> None:
    """Without a stored position, the gap begins at the first message there ever was."""
    await publish(bus, topic, range(5))
    await dropper.drop(below=2)
    async with bus.subscription(group, [topic], from_start) as subscription:
        found = await batches(subscription, b"4")
    assert [batch.lost for batch in found if batch.lost] == [(0, 2)]


async def test_messages_that_vanish_while_they_are_waited_for_are_told(
    bus: Bus, topic: str, dropper: Dropper, group: str
) -> None:
    """A reader that has fallen behind is overtaken by the retention while it runs."""
    await publish(bus, topic, range(3))
    async with bus.subscription(group, [topic], from_start, alone=True) as subscription:
        await batches(subscription, b"2")
        await overtake(bus, dropper, subscription)
        found = await batches(subscription, None)
        [lost] = [batch.lost for batch in found if batch.lost]
        await publish(bus, topic, range(90, 91))
        after = await batches(subscription, b"90")
    assert lost[0] >= 3
    assert lost[1] >= 6
    assert [batch.lost for batch in after if batch.lost] == []


async def overtake(bus: Bus, dropper: Dropper, subscription: Subscription) -> None:
    """Publishes and drops while the subscription is held still."""
    hold = getattr(subscription, "_consumer", None)
    if isinstance(hold, AIOKafkaConsumer):
        hold.pause(*hold.assignment())
        # A fetch that is already under way would still bring what is published now.
        await subscription.poll(100, 1.0)
    await publish(bus, dropper.topic, range(3, 6))
    await dropper.drop()
    if isinstance(hold, AIOKafkaConsumer):
        hold.resume(*hold.assignment())


async def test_what_was_read_before_it_was_dropped_is_no_loss(
    bus: Bus, topic: str, dropper: Dropper, group: str
) -> None:
    """An idle topic whose messages have all expired, markers of transactions included, has nothing to tell."""
    await publish(bus, topic, range(3))
    async with bus.subscription(group, [topic], from_start) as subscription:
        end = (await batches(subscription, b"2"))[-1].end
        end = max([end, *(batch.end for batch in await idle(subscription))])
        await dropper.drop()
        assert await idle(subscription) == []
    async with bus.subscription(f"{group}-again", [topic], stored(topic, end)) as subscription:
        assert await idle(subscription) == []


async def test_what_compaction_removed_is_no_loss(bus: Bus, address: tuple[str, str], group: str) -> None:
    """On a compacted topic offsets have holes, and its newest messages stay for ever."""
    name = f"test.compacted.{group}"
    await bus.create_topics([Topic(name, 1, timedelta(days=1), compacted=True)])
    await publish(bus, name, range(3))
    async with bus.publisher(f"{group}-other") as publisher:
        await publisher.publish([Message(name, "b", b"b")])
    if isinstance(bus, PostgresBus):
        await Dropper(bus, address, name).drop()
    async with bus.subscription(group, [name], from_start) as subscription:
        found = await batches(subscription, b"b")
        assert [batch.lost for batch in [*found, *await idle(subscription)] if batch.lost] == []
        if isinstance(bus, PostgresBus):
            assert [value for batch in found for value in values(batch)] == [b"2", b"b"]


async def test_a_reader_ahead_of_the_bus_is_refused(bus: Bus, topic: str, group: str) -> None:
    """A bus that was put back to an earlier moment is not read on in silence."""
    await publish(bus, topic, range(3))
    with pytest.raises(Unavailable, match="the bus was put"):
        async with bus.subscription(group, [topic], stored(topic, 5000), alone=True) as subscription:
            await batches(subscription, b"never")
