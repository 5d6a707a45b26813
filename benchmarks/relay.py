"""The relay to Kafka, beside a bare transactional producer that sends the same bytes to the same topic."""

import asyncio
from collections.abc import Sequence
from statistics import median
from time import perf_counter

from aiokafka import AIOKafkaProducer

from benchmarks.figure import Figure
from benchmarks.ground import Ground, House, cancel
from benchmarks.stock import fill_outbox, stored_messages
from shared.bus import Message
from shared.database import Pool, open_pool
from shared.relay import Relay

SERVICE = "inventory"
EVENTS = 60_000
A_TRANSACTION = 1_000
RUNS = 3


async def measure(ground: Ground) -> list[Figure]:
    """Empties an outbox of 60,000 events; the middle one of three runs, each beside its peer."""
    async with ground.house("kafka") as house:
        pool = await open_pool(house.login(SERVICE), schema=SERVICE, application="benchmark")
        ours, bare = [], []
        for _ in range(RUNS):
            await fill_outbox(pool, SERVICE, EVENTS)
            messages = await stored_messages(pool)
            bare.append(len(messages) / await _bare_producer(house, messages))
            ours.append(len(messages) / await _relay(house, pool))
        await pool.close()
    return [
        Figure(
            "relay to Kafka",
            median(ours),
            "events/s",
            "bare aiokafka, same bytes, 1,000 a transaction",
            median(bare),
            floor=20_000,
        )
    ]


async def _relay(house: House, pool: Pool) -> float:
    """Seconds from the relay's start to its last event marked as sent, which it is once Kafka has committed it."""
    bus = house.bus()
    began = perf_counter()
    relay = asyncio.create_task(Relay(SERVICE, house.login(SERVICE), bus).run())
    while await pool.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
        await asyncio.sleep(0.02)
    seconds = perf_counter() - began
    await cancel(relay)
    await bus.close()
    return seconds


async def _bare_producer(house: House, messages: Sequence[Message]) -> float:
    """Seconds from the producer's start to its last commit."""
    began = perf_counter()
    producer = AIOKafkaProducer(
        bootstrap_servers=house.kafka, transactional_id="bare", acks="all", max_batch_size=256 * 1024
    )
    await producer.start()
    for start in range(0, len(messages), A_TRANSACTION):
        async with producer.transaction():
            for m in messages[start : start + A_TRANSACTION]:
                await producer.send(m.topic, value=m.value, key=m.key.encode())
    seconds = perf_counter() - began
    await producer.stop()
    return seconds
