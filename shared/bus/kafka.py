"""The distributed bus: Apache Kafka. One transaction a batch under the producer's name fences a zombie."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced, TopicAlreadyExistsError, for_code
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.bus.protocol import MAX_MESSAGE_BYTES, Batch, Message, PartitionId, Positions
from shared.errors import Fenced, Unavailable
from shared.events import Topic
from shared.telemetry import log

PUBLISH_SECONDS = 20.0
CLOSE_SECONDS = 5.0


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
        self, group: str, topics: Sequence[str], positions: Positions
    ) -> AsyncIterator["KafkaSubscription"]:
        """Joins the consumer group; each partition it is given is read on from the stored position."""
        consumer = AIOKafkaConsumer(
            group_id=f"steward-{group}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=500,
            heartbeat_interval_ms=int(self._access.session_seconds * 1000 / 5),
            session_timeout_ms=int(self._access.session_seconds * 1000),
            metadata_max_age_ms=30_000,
            **self._access.client_options(),
        )
        seeker = _SeekToStored(consumer, positions)
        consumer.subscribe(topics=list(topics), listener=seeker)
        try:
            try:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    await consumer.start()
            except (KafkaError, OSError) as exc:
                raise Unavailable(f"Kafka: {exc!r}") from exc
            yield KafkaSubscription(consumer, seeker)
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
    """A member of a Kafka consumer group."""

    def __init__(self, consumer: AIOKafkaConsumer, seeker: "_SeekToStored") -> None:
        self._consumer = consumer
        self._seeker = seeker

    async def poll(self, limit: int, timeout: float) -> Sequence[Batch]:
        """The messages that have arrived; while a broker is away this waits."""
        try:
            records = await self._consumer.getmany(timeout_ms=int(timeout * 1000), max_records=limit)
        except KafkaError as exc:
            raise Unavailable(f"Kafka: {exc!r}") from exc
        if self._seeker.failure is not None:
            raise Unavailable(f"the stored positions could not be read: {self._seeker.failure!r}")
        return [
            Batch(where.topic, where.partition, [(r.offset, r.value or b"") for r in found])
            for where, found in records.items()
        ]


class _SeekToStored(ConsumerRebalanceListener):  # type: ignore[misc]  # -- aiokafka carries no types
    """Moves each newly assigned partition to where its reader's own database says that it stopped."""

    def __init__(self, consumer: AIOKafkaConsumer, positions: Positions) -> None:
        self._consumer = consumer
        self._positions = positions
        self.failure: Exception | None = None

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Nothing to hand over: the guard on the stored position stops whoever still works on an old batch."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """aiokafka swallows what a listener raises, so a failure is kept for poll to raise."""
        try:
            stored = await self._positions([(where.topic, where.partition) for where in assigned])
        except Exception as exc:
            self.failure = exc
            return
        for where in assigned:
            if (offset := stored.get((where.topic, where.partition))) is not None:
                self._consumer.seek(where, offset)


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
