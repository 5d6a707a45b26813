"""From a handler's transaction to a consumer's effect (design: outbox, relay, position)."""

import asyncio
from dataclasses import replace

import pytest

from shared import telemetry
from shared.bus import Batch
from shared.database import connect
from shared.errors import Fenced, Replaced, TooLarge
from shared.events import with_sequence
from shared.relay import BATCH, in_flight, take_batch
from shared.transactions import begin
from shared.turn import await_turn
from tests.contract.delivery.conftest import SERVICE, Counting, HandlerFailed


async def test_events_arrive_in_order_with_rising_sequences(counting: Counting) -> None:
    """Events of several transactions are applied in the order of their commits."""
    async with counting.running():
        for start in range(0, 30, 10):
            await counting.record(*range(start, start + 10))
        assert await counting.applied(30) == list(range(30))
    sequences = [event.sequence for event in counting.handled]
    assert sequences == sorted(set(sequences))


async def test_the_bytes_applied_are_the_bytes_recorded(counting: Counting) -> None:
    """Nobody writes an event anew between the handler's commit and the consumer."""
    await counting.record(1)
    body = await counting.pool.fetchval("SELECT body FROM outbox")
    async with counting.running():
        await counting.applied(1)
    assert counting.handled[0].raw == with_sequence(body, counting.handled[0].sequence)
    assert counting.handled[0].actor == "tester"


async def test_a_rolled_back_transaction_publishes_nothing(counting: Counting) -> None:
    """What a handler recorded before it failed is gone with its effect."""

    async def fail() -> None:
        async with begin(counting.pool, SERVICE, actor="tester") as tx:
            tx.record(counting.contract(n=1), subject="a", site_id="north")
            raise ValueError("changed my mind")

    with pytest.raises(ValueError, match="changed my mind"):
        await fail()
    await counting.record(2)
    async with counting.running():
        assert await counting.applied(1) == [2]


async def test_an_event_over_48_kib_ends_its_transaction(counting: Counting) -> None:
    """The handler fails before it commits, and says how large the event would be."""

    async def fail() -> None:
        async with begin(counting.pool, SERVICE, actor="x" * 49_152) as tx:
            await tx.conn.execute("INSERT INTO applied (subject, n) VALUES ('a', 1)")
            tx.record(counting.contract(n=1), subject="a", site_id="north")

    with pytest.raises(TooLarge, match="49152"):
        await fail()
    assert await counting.pool.fetchval("SELECT count(*) FROM applied") == 0
    assert await counting.pool.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_batch_published_but_not_marked_is_sent_again_and_applied_once(counting: Counting) -> None:
    """A relay that dies after its publish leaves a batch that its successor repeats under the same sequences."""
    await counting.record(1, 2, 3)
    async with counting.pool.acquire() as conn, counting.bus.publisher(SERVICE) as publisher:
        batch = await take_batch(conn, BATCH)
        await publisher.publish(batch)
        assert await in_flight(conn) == batch
    async with counting.running():
        await counting.record(4)
        assert await counting.applied(4) == [1, 2, 3, 4]


async def test_a_relay_that_was_stopped_does_not_keep_its_place_for_ever(counting: Counting) -> None:
    """Its session lives on without asking for anything: another relay goes on, and it is fenced when it wakes."""
    stopped = await connect(counting.dsn, schema=SERVICE, application="stopped")
    await await_turn(stopped, f"relay {SERVICE}", 45)
    await counting.record(1)
    async with counting.bus.publisher(SERVICE) as publisher, counting.running("consumer"):
        batch = await take_batch(stopped, BATCH)
        successor = asyncio.create_task(replace(counting.relay, silent_seconds=1).run())
        await counting.record(2)
        assert await counting.applied(2) == [1, 2]
        with pytest.raises(Fenced):
            await publisher.publish(batch)
        successor.cancel()
    assert stopped.is_closed()
    await asyncio.gather(successor, return_exceptions=True)


async def test_a_batch_numbered_but_not_published_is_sent_under_the_same_numbers(counting: Counting) -> None:
    """A relay that dies before its publish leaves nothing out, though later events were recorded meanwhile."""
    await counting.record(1, 2)
    async with counting.pool.acquire() as conn:
        numbered = [message.value for message in await take_batch(conn, BATCH)]
    await counting.record(3)
    async with counting.running():
        assert await counting.applied(3) == [1, 2, 3]
    assert [event.raw for event in counting.handled[:2]] == numbered


async def test_a_message_that_arrives_twice_is_applied_once(counting: Counting) -> None:
    """A repeat by the bus or by a relay is dropped by its sequence."""
    async with counting.running():
        await counting.record(1)
        await counting.applied(1)
        raw = counting.handled[0].raw
        await counting.publish(raw, raw)
        await counting.record(2)
        assert await counting.applied(2) == [1, 2]
        assert await counting.quarantined(0) == []


async def test_events_after_a_restore_of_the_producers_database_are_no_repeats(counting: Counting) -> None:
    """A service whose database was put back to an earlier moment publishes on, and its consumers apply it."""
    before = await counting.pool.fetchval("SELECT next_sequence FROM relay")
    async with counting.running():
        await counting.record(1, 2, 3)
        await counting.applied(3)
    await counting.pool.execute("UPDATE relay SET next_sequence = $1", before)
    async with counting.running():
        await counting.record(4)
        assert await counting.applied(4) == [1, 2, 3, 4]


async def test_a_replaced_consumer_can_apply_nothing(counting: Counting) -> None:
    """Who works on a batch that another has applied meanwhile fails, and its effect is rolled back."""
    await counting.record(1)
    async with counting.running():
        await counting.applied(1)
    event = counting.handled[0]
    rows = await counting.pool.fetch("SELECT partition, next_offset FROM positions WHERE topic = $1", event.type)
    old = Batch(event.type, rows[0]["partition"], [(rows[0]["next_offset"] - 1, event.raw)])
    with pytest.raises(Replaced):
        await counting.consumer.apply(old)
    assert await counting.applied(1) == [1]


async def test_a_consumer_replaced_on_one_partition_applies_nothing_of_the_others(counting: Counting) -> None:
    """Batches that were polled together stand in one transaction."""
    await counting.record(1)
    async with counting.running():
        await counting.applied(1)
    event = counting.handled[0]
    [stored] = await counting.pool.fetch("SELECT partition, next_offset FROM positions WHERE topic = $1", event.type)
    old = Batch(event.type, stored["partition"], [(stored["next_offset"] - 1, event.raw)])
    await counting.record(2)
    async with counting.pool.acquire() as conn:
        [message] = await take_batch(conn, BATCH)
    other = Batch(event.type, stored["partition"] + 1, [(0, message.value)])
    with pytest.raises(Replaced):
        await counting.consumer.apply(other, old)
    assert await counting.applied(1) == [1]


async def test_two_consumers_on_one_batch_apply_it_once(counting: Counting) -> None:
    """Whoever commits first wins; the other's effect is rolled back."""
    await counting.record(1)
    async with counting.pool.acquire() as conn:
        [message] = await take_batch(conn, BATCH)
    batch = Batch(message.topic, 0, [(0, message.value)])
    done = await asyncio.gather(*(counting.consumer.apply(batch) for _ in range(5)), return_exceptions=True)
    assert done.count(None) >= 1
    assert all(isinstance(result, Replaced) for result in done if result is not None)
    assert await counting.applied(1) == [1]


async def test_cut_connections_neither_lose_nor_double(counting: Counting) -> None:
    """The relay's, the consumer's and the bus's database sessions are ended in the middle."""
    async with counting.running():
        for start in range(0, 100, 10):
            await counting.record(*range(start, start + 10))
            await counting.pool.fetch(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()
                   AND application_name LIKE 'steward-%'"""
            )
        assert await counting.applied(100) == list(range(100))


async def test_a_loss_is_counted_once_and_the_rest_is_applied(counting: Counting) -> None:
    """What the bus dropped before it was read can't be applied; reading goes on behind it, and a metric tells."""
    topic = counting.contract.event_type
    await counting.record(1, 2)
    async with counting.pool.acquire() as conn:
        one, two = await take_batch(conn, BATCH)
    await counting.consumer.apply(Batch(topic, 0, [(4, one.value)], lost=(0, 4), skipped_to=6))
    await counting.consumer.apply(Batch(topic, 0, (), lost=(6, 9)))
    await counting.consumer.apply(Batch(topic, 0, [(9, two.value)]))
    assert await counting.applied(2) == [1, 2]
    assert await counting.pool.fetchval("SELECT next_offset FROM positions WHERE topic = $1", topic) == 10
    assert telemetry.LOST.labels(SERVICE, topic)._value.get() == 7


async def test_a_message_that_fails_behind_a_loss_does_not_tell_of_it_twice(counting: Counting) -> None:
    """The batch is applied piece by piece: the loss, then each message, then what was skipped."""
    topic = counting.contract.event_type
    counting.failures[1] = [HandlerFailed() for _ in range(10)]
    await counting.record(1, 2)
    async with counting.pool.acquire() as conn:
        one, two = await take_batch(conn, BATCH)
    await counting.consumer.apply(Batch(topic, 0, [(4, one.value), (5, two.value)], lost=(0, 4), skipped_to=8))
    assert await counting.applied(1) == [2]
    assert len(await counting.quarantined(1)) == 1
    assert await counting.pool.fetchval("SELECT next_offset FROM positions WHERE topic = $1", topic) == 8
    assert telemetry.LOST.labels(SERVICE, topic)._value.get() == 4
