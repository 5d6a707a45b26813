"""The distributed bus: Apache Kafka. One transaction a batch under the producer's name fences a zombie."""

import asyncio
import ssl
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    ProducerFenced,
    TopicAlreadyExistsError,
    for_code,
)
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.bus.protocol import MAX_MESSAGE_BYTES, Batch, Message, PartitionId, Positions
from shared.errors import Fenced, Unavailable
from shared.events import Topic
from shared.telemetry import log

PUBLISH_SECONDS = 20.0
CLOSE_SECONDS = 5.0
CHANGE_SECONDS = 0.05
FETCH_BYTES = 8 * 1024 * 1024
PARTITION_FETCH_BYTES = 1024 * 1024
"""A reader holds at the most one fetch of each broker and as much again of each partition, however far it is behind."""

FAR_BEHIND = 1_000
FAR_AHEAD = 1_000
STEP_SECONDS = 0.25
"""Of a partition that is so many messages ahead of another which is so far behind, no more is fetched for the time
being; what came of it waits for the other's messages, for so long at the most."""

Records = Mapping[TopicPartition, Sequence[ConsumerRecord]]


@dataclass(frozen=True)
class KafkaAccess:
    """How to reach the brokers: ``host:port,…``, and TLS and SASL where the cluster asks for them.

    A consumer that is silent for ``session_seconds`` loses its partitions to the others of its group.
    """

    bootstrap: str
    ca_file: str | None = None
    username: str | None = None
    password: str | None = None
    replication: int = 1
    session_seconds: float = 6.0

    def client_options(self) -> dict[str, Any]:
        """The keyword arguments that every aiokafka client takes."""
        options: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "request_timeout_ms": 10_000}
        if self.ca_file is not None:
            options["ssl_context"] = ssl.create_default_context(cafile=self.ca_file)
        if self.username is not None:
            options |= {
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        options["security_protocol"] = ("SASL_" if self.username else "") + ("SSL" if self.ca_file else "PLAINTEXT")
        return options


class KafkaBus:
    """A Kafka cluster, 4.0 or newer."""

    def __init__(self, access: KafkaAccess) -> None:
        self._access = access

    async def create_topics(self, topics: Sequence[Topic]) -> None:
        """Makes the missing topics and sets the configuration of all. Raises Unavailable when a broker refuses."""
        admin = AIOKafkaAdminClient(**self._access.client_options())
        try:
            await admin.start()
            made = await admin.create_topics([self._new_topic(topic) for topic in topics])
            for name, code, *message in made.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise Unavailable(f"topic {name}: {for_code(code).__name__} {message}")
            await admin.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, topic.name, topic_configs(topic)) for topic in topics]
            )
        except (KafkaError, OSError) as exc:
            raise Unavailable(f"Kafka: {exc}") from exc
        finally:
            await admin.close()

    def _new_topic(self, topic: Topic) -> NewTopic:
        return NewTopic(topic.name, topic.partitions, self._access.replication, topic_configs=topic_configs(topic))

    @asynccontextmanager
    async def publisher(self, name: str) -> AsyncIterator["KafkaPublisher"]:
        """Initializes the transactional producer ``name``, which fences whoever holds that name."""
        producer = AIOKafkaProducer(
            transactional_id=f"steward-{name}",
            acks="all",
            transaction_timeout_ms=60_000,
            max_batch_size=256 * 1024,
            **self._access.client_options(),
        )
        try:
            try:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    await producer.start()
            except (KafkaError, OSError) as exc:
                raise Unavailable(f"Kafka: {exc!r}") from exc
            yield KafkaPublisher(producer, name)
        finally:
            await _close(producer)
            _hear_failures(producer)

    @asynccontextmanager
    async def subscription(
        self, group: str, topics: Sequence[str], positions: Positions, *, alone: bool = False
    ) -> AsyncIterator["KafkaSubscription"]:
        """Joins the consumer group, or reads all partitions ``alone``, each from the stored position on."""
        consumer = AIOKafkaConsumer(
            group_id=None if alone else f"steward-{group}",
            enable_auto_commit=False,
            # Where to read is always said here: aiokafka's own resetting would pass over what was lost in silence.
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=500,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            heartbeat_interval_ms=int(self._access.session_seconds * 1000 / 5),
            session_timeout_ms=int(self._access.session_seconds * 1000),
            metadata_max_age_ms=30_000,
            **self._access.client_options(),
        )
        places = _Places(consumer, positions)
        consumer.subscribe(topics=list(topics), listener=places)
        try:
            try:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    await consumer.start()
                    if alone:
                        await places.on_partitions_assigned(consumer.assignment())
            except (KafkaError, OSError) as exc:
                raise Unavailable(f"Kafka: {exc!r}") from exc
            yield KafkaSubscription(consumer, places, in_step=alone)
        finally:
            await _close(consumer)

    async def sweep(self) -> None:
        """Nothing to do: the broker keeps retention and compaction itself."""

    async def close(self) -> None:
        """Nothing to give back: each producer and consumer has its own connections."""


def topic_configs(topic: Topic) -> dict[str, str]:
    """The broker's settings of a topic. Compaction leaves ``retention`` of history, so that the audit log, however
    late, has read an event before a newer one replaces it."""
    retention = str(int(topic.retention.total_seconds() * 1000))
    configs = {"max.message.bytes": str(MAX_MESSAGE_BYTES), "message.timestamp.type": "LogAppendTime"}
    if topic.compacted:
        return configs | {"cleanup.policy": "compact", "min.compaction.lag.ms": retention}
    return configs | {"cleanup.policy": "delete", "retention.ms": retention}


class KafkaPublisher:
    """The transactional producer of one name."""

    def __init__(self, producer: AIOKafkaProducer, name: str) -> None:
        self._producer = producer
        self._name = name

    async def publish(self, messages: Sequence[Message]) -> None:
        """One Kafka transaction. When it fails the outcome may be unknown: open a new publisher and send it again."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                async with self._producer.transaction():
                    batches = await self._fill_batches(messages)
                    sent = [await self._producer.send_batch(b, topic, partition=p) for (topic, p), b in batches]
                    await asyncio.gather(*sent)
        except (ProducerFenced, InvalidProducerEpoch) as exc:
            raise Fenced(f"producer {self._name} was replaced") from exc
        except (KafkaError, OSError) as exc:
            raise Unavailable(f"Kafka: {exc!r}") from exc

    async def _fill_batches(self, messages: Sequence[Message]) -> list[tuple[PartitionId, BatchBuilder]]:
        """The messages in record batches of our own making: a future for each message would cost more than it."""
        counts = {topic: len(await self._producer.partitions_for(topic)) for topic in {m.topic for m in messages}}
        filled: list[tuple[PartitionId, BatchBuilder]] = []
        last: dict[PartitionId, BatchBuilder] = {}
        for message in messages:
            key = message.key.encode()
            where = (message.topic, partition_of(key, counts[message.topic]))
            batch = last.get(where)
            # A batch that is full takes no more; one that is empty takes a message of any size.
            while batch is None or batch.append(timestamp=None, key=key, value=message.value) is None:
                batch = last[where] = self._producer.create_batch()
                filled.append((where, batch))
        return filled


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, by the hash that all Kafka clients share."""
    number: int = DefaultPartitioner()(key, range(partitions), range(partitions))
    return number


class KafkaSubscription:
    """A reader of Kafka partitions."""

    def __init__(self, consumer: AIOKafkaConsumer, places: "_Places", *, in_step: bool) -> None:
        self._consumer = consumer
        self._places = places
        self._in_step = in_step

    async def poll(self, limit: int, timeout: float) -> Sequence[Batch]:
        """The messages that have arrived; while a broker is away this waits."""
        wait = 0 if self._places.lost else int(1000 * (STEP_SECONDS if self._places.held else timeout))
        records: Records = {}
        try:
            records = await self._consumer.getmany(timeout_ms=wait, max_records=limit)
        except NoOffsetForPartitionError as exc:
            if not self._places.are_changing:
                raise Unavailable(f"Kafka: there are other partitions than before: {exc}") from exc
            await asyncio.sleep(CHANGE_SECONDS)
        except OffsetOutOfRangeError as exc:
            await self._places.find_again(exc.args[0])
        except KafkaError as exc:
            raise Unavailable(f"Kafka: {exc!r}") from exc
        if self._places.failure is not None:
            raise Unavailable(f"the place to read from could not be found: {self._places.failure!r}")
        return list(self._places.advance(self._places.keep_step(records) if self._in_step else records))


class _Places(ConsumerRebalanceListener):  # type: ignore[misc]  # -- aiokafka carries no types
    """Where each assigned partition is read: first where its reader's own database says that it stopped."""

    def __init__(self, consumer: AIOKafkaConsumer, positions: Positions) -> None:
        self._consumer = consumer
        self._positions = positions
        self._told: dict[TopicPartition, int] = {}
        self.lost: dict[TopicPartition, tuple[int, int]] = {}
        self.held: dict[TopicPartition, Sequence[ConsumerRecord]] = {}
        self.are_changing = True
        self.failure: Exception | None = None

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Nothing to hand over: the guard on the stored position stops whoever still works on an old batch."""
        self.are_changing = True

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """aiokafka swallows what a listener raises, so a failure is kept for poll to raise."""
        try:
            stored = await self._positions([(where.topic, where.partition) for where in assigned])
            self.lost = {}
            await self._begin({where: stored.get((where.topic, where.partition), 0) for where in assigned})
        except Exception as exc:
            self.failure = exc
        self.are_changing = False

    async def find_again(self, out_of_range: Mapping[TopicPartition, int]) -> None:
        """Reads on behind what the broker has deleted meanwhile. Raises Unavailable when it has less than was read."""
        try:
            await self._begin(out_of_range)
        except KafkaError as exc:
            raise Unavailable(f"Kafka: {exc!r}") from exc
        for where, offset in out_of_range.items():
            if where not in self.lost:
                raise Unavailable(
                    f"{where.topic}/{where.partition} was read to {offset}, which lies behind its end: the bus was put"
                    " back to an earlier moment; restore it and its readers to the same one"
                )

    async def _begin(self, positions: Mapping[TopicPartition, int]) -> None:
        """Markers and compaction leave holes in the offsets; only what lies before a log's start was lost."""
        starts = await self._consumer.beginning_offsets(list(positions))
        for where, position in positions.items():
            if position < starts[where]:
                self.lost[where] = (position, starts[where])
            self._told[where] = max(position, starts[where])
            self.held.pop(where, None)
            self._consumer.seek(where, self._told[where])

    def keep_step(self, records: Records) -> Records:
        """Of what has come, all that the broker took before the end of what has come of each partition far behind.

        So a backlog is read in the order of time, and no partition far ahead of another: such ones pause. What is not
        given is held. Where nothing has come, nothing is held any longer.
        """
        there = {where: [*self.held.get(where, ()), *records.get(where, ())] for where in {**self.held, **records}}
        ends = [found[-1].timestamp for where, found in there.items() if self._is_far_behind(where)]
        cuts = {
            where: _count_upto(min(ends), found) if ends and records else len(found) for where, found in there.items()
        }
        self._consumer.resume(*self.held)
        self.held = {where: found[cuts[where] :] for where, found in there.items() if cuts[where] < len(found)}
        self._consumer.pause(*[where for where, found in self.held.items() if len(found) > FAR_AHEAD])
        return {where: found[: cuts[where]] for where, found in there.items()}

    def _is_far_behind(self, where: TopicPartition) -> bool:
        assignment = self._consumer._subscription.subscription.assignment
        end = self._consumer.last_stable_offset(where)
        return end is not None and end - assignment.state_value(where).position > FAR_BEHIND

    def advance(self, records: Records) -> Iterator[Batch]:
        """The records as batches. Their readers also learn of markers that they were moved past, lest these look like
        lost messages once the broker has deleted them."""
        for where, position in self._reached().items():
            found = [(record.offset, record.value or b"") for record in records.get(where, ())]
            lost = self.lost.pop(where, None)
            if found or lost or position > self._told.get(where, position):
                self._told[where] = position
                yield Batch(where.topic, where.partition, found, lost, position)

    def _reached(self) -> dict[TopicPartition, int]:
        assignment = self._consumer._subscription.subscription.assignment
        states = {where: assignment.state_value(where) for where in (assignment.tps if assignment else ())}
        positions = {where: state.position for where, state in states.items() if state.has_valid_position}
        return positions | {where: found[0].offset for where, found in self.held.items()}


def _count_upto(end: int, records: Sequence[ConsumerRecord]) -> int:
    return bisect_right(records, end, key=lambda record: record.timestamp)


async def _close(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Stops a client without waiting for ever on a broker that is gone."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await client.stop()
    except (KafkaError, OSError) as exc:
        log.info("kafka.closed_hard", error=repr(exc))


def _hear_failures(producer: AIOKafkaProducer) -> None:
    """Looks at what aiokafka told to futures that it hands to nobody: asyncio logs each as an error otherwise."""
    unsent = [batch for batches in producer._message_accumulator._batches.values() for batch in batches]
    told = [future for batch in unsent for future in (batch.future, batch._drain_waiter)]
    for future in (producer._txn_manager.wait_for_transaction_end(), *told):
        if future is not None and future.done() and not future.cancelled():
            future.exception()
