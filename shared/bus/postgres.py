"""The embedded bus: a log in PostgreSQL, for one machine. Durable, ordered, fenced; LISTEN/NOTIFY wakes readers."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from zlib import crc32

import asyncpg

from shared.bus.protocol import Batch, Message, PartitionId, Positions
from shared.database import Connection, connect, is_transient, open_pool
from shared.errors import Fenced, Unavailable
from shared.events import Topic
from shared.turn import await_turn
from shared.waking import wait_at_most

SCHEMA = "bus"
CHANNEL = "steward_bus"
MAX_NEWS_BYTES = 7999
FALLBACK_SECONDS = 5.0
POLL_BYTES = 8 * 1024 * 1024


class PostgresBus:
    """The bus behind ``dsn``. Publishers share a few connections; each subscription has one of its own.

    A member that has not asked for anything for ``silent_seconds`` loses its place to another that waits for it.
    """

    def __init__(self, dsn: str, silent_seconds: float = 45.0) -> None:
        self._dsn = dsn
        self._silent_seconds = silent_seconds
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        """The connections that publishers share, opened at first use."""
        async with self._opening:
            if self._pool is None:
                self._pool = await open_pool(self._dsn, schema=SCHEMA, application="steward-bus", max_size=4)
            return self._pool

    async def create_topics(self, topics: Sequence[Topic]) -> None:
        """Makes topics, their heads and their part of the log. Partitions are fixed at a topic's birth."""
        async with (await self.pool()).acquire() as conn, conn.transaction():
            await conn.execute("SELECT pg_advisory_xact_lock(hashtext('steward bus topics'))")
            for topic in topics:
                await self._create_topic(conn, topic)

    @staticmethod
    async def _create_topic(conn: Connection, topic: Topic) -> None:
        partitions = await conn.fetchval(
            """INSERT INTO topics VALUES ($1, $2, $3, $4)
               ON CONFLICT (topic) DO UPDATE SET retention = excluded.retention, compacted = excluded.compacted
               RETURNING partitions""",
            topic.name,
            topic.partitions,
            topic.retention,
            topic.compacted,
        )
        await conn.execute(
            "INSERT INTO heads (topic, partition) SELECT $1, generate_series(0, $2 - 1) ON CONFLICT DO NOTHING",
            topic.name,
            partitions,
        )
        await conn.execute(
            f"CREATE TABLE IF NOT EXISTS \"log_{topic.name}\" PARTITION OF log FOR VALUES IN ('{topic.name}')"
        )

    @asynccontextmanager
    async def publisher(self, name: str) -> AsyncIterator["PostgresPublisher"]:
        """Raises the name's epoch; whoever holds an older one is fenced at the next publish."""
        with _as_unavailable():
            pool = await self.pool()
            epoch = await pool.fetchval(
                """INSERT INTO producers VALUES ($1, 1)
                   ON CONFLICT (name) DO UPDATE SET epoch = producers.epoch + 1 RETURNING epoch""",
                name,
            )
        yield PostgresPublisher(pool, name, epoch)

    @asynccontextmanager
    async def subscription(
        self, group: str, topics: Sequence[str], positions: Positions, *, alone: bool = False
    ) -> AsyncIterator["PostgresSubscription"]:
        """Joins the group, waits until it is this member's turn to read, and reads on from the stored positions."""
        with _as_unavailable():
            conn = await connect(self._dsn, schema=SCHEMA, application=f"steward-bus-{group}")
        try:
            with _as_unavailable():
                if not alone:
                    await await_turn(conn, f"bus {group}", self._silent_seconds)
                subscription = PostgresSubscription(conn, topics)
                await subscription.start(positions)
            yield subscription
        finally:
            conn.terminate()

    async def sweep(self) -> None:
        """Deletes messages past their topic's retention, and of a compacted topic only those that a newer one replaces.

        Of a topic that is not compacted it is always the oldest messages of a partition that go. A replaced message
        stays for its retention too, so that the audit log, however late, has read it before.
        """
        async with (await self.pool()).acquire() as conn, conn.transaction():
            await conn.execute(
                """DELETE FROM log old USING topics t
                   WHERE t.topic = old.topic AND t.compacted AND old.published_at < now() - t.retention
                   AND EXISTS (
                       SELECT FROM log new WHERE new.topic = old.topic AND new.partition = old.partition
                       AND new.key = old.key AND new."offset" > old."offset")"""
            )
            ends = await conn.fetch(
                """WITH kept AS (
                       SELECT h.topic, h.partition, coalesce(
                           (SELECT "offset" FROM log WHERE log.topic = h.topic AND log.partition = h.partition
                            AND published_at >= now() - t.retention ORDER BY "offset" LIMIT 1), h.next_offset) AS start
                       FROM heads h JOIN topics t USING (topic) WHERE NOT t.compacted),
                   gone AS (
                       DELETE FROM log USING kept
                       WHERE log.topic = kept.topic AND log.partition = kept.partition AND "offset" < kept.start
                       RETURNING log.topic, log.partition, "offset")
                   SELECT topic, partition, max("offset") + 1 FROM gone GROUP BY topic, partition ORDER BY 1, 2"""
            )
            await conn.executemany(
                "UPDATE heads SET start_offset = greatest(start_offset, $3) WHERE topic = $1 AND partition = $2",
                [tuple(end) for end in ends],
            )

    async def close(self) -> None:
        """Closes the publishers' connections."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None


class PostgresPublisher:
    """The producer ``name`` at one epoch."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", name: str, epoch: int) -> None:
        self._pool = pool
        self._name = name
        self._epoch = epoch
        self._partitions: dict[str, int] = {}

    async def publish(self, messages: Sequence[Message]) -> None:
        """One transaction: check the epoch, take offsets from the heads, write, wake the readers."""
        with _as_unavailable():
            async with self._pool.acquire() as conn, conn.transaction():
                await self._check_epoch(conn)
                placed = [(m, await self._partition(conn, m)) for m in messages]
                offsets = await self._take_offsets(conn, Counter((m.topic, p) for m, p in placed))
                rows = []
                for message, partition in placed:
                    where = (message.topic, partition)
                    rows.append((*where, offsets[where], message.key, message.value))
                    offsets[where] += 1
                await conn.copy_records_to_table(
                    "log", records=rows, columns=["topic", "partition", "offset", "key", "value"]
                )
                await conn.execute("SELECT pg_notify($1, $2)", CHANNEL, _news_of({m.topic for m in messages}))

    async def _check_epoch(self, conn: Connection) -> None:
        """FOR SHARE makes a successor's registration wait until this batch is in, so none can slip in after it."""
        current = await conn.fetchval("SELECT epoch FROM producers WHERE name = $1 FOR SHARE", self._name)
        if current != self._epoch:
            raise Fenced(f"producer {self._name} has epoch {current}; this one has {self._epoch}")

    async def _partition(self, conn: Connection, message: Message) -> int:
        if message.topic not in self._partitions:
            count = await conn.fetchval("SELECT partitions FROM topics WHERE topic = $1", message.topic)
            if count is None:
                raise Unavailable(f"topic {message.topic} does not exist; run `steward migrate`")
            self._partitions[message.topic] = count
        return crc32(message.key.encode()) % self._partitions[message.topic]

    @staticmethod
    async def _take_offsets(conn: Connection, counts: Counter[PartitionId]) -> dict[PartitionId, int]:
        wanted = sorted(counts)
        topics, partitions = [t for t, _ in wanted], [p for _, p in wanted]
        # Locked in one order by every publisher, so that two of them never wait for each other.
        rows = await conn.fetch(
            """WITH held AS (
                   SELECT h.topic, h.partition, h.next_offset, w.n FROM heads h
                   JOIN unnest($1::text[], $2::int[], $3::bigint[]) AS w(topic, partition, n) USING (topic, partition)
                   ORDER BY h.topic, h.partition FOR UPDATE OF h)
               UPDATE heads SET next_offset = held.next_offset + held.n FROM held
               WHERE heads.topic = held.topic AND heads.partition = held.partition
               RETURNING held.topic, held.partition, held.next_offset""",
            topics,
            partitions,
            [counts[where] for where in wanted],
        )
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


class PostgresSubscription:
    """The one reading member of a group. Its session holds the group's advisory lock; if that dies, so does it."""

    def __init__(self, conn: "asyncpg.Connection[asyncpg.Record]", topics: Sequence[str]) -> None:
        self._conn = conn
        self._topics = frozenset(topics)
        self._next: dict[PartitionId, int] = {}
        self._woken = asyncio.Event()

    async def start(self, positions: Positions) -> None:
        """Listens first and looks second, so that nothing published in between is overlooked.

        Raises Unavailable when the reader has read more than there is: the bus was put back to an earlier moment, and
        to read on would pass over what is published until then.
        """
        await self._conn.add_listener(CHANNEL, self._hear)
        self._conn.add_termination_listener(lambda _: self._woken.set())
        heads = {
            (topic, partition): head
            for topic, partition, head in await self._conn.fetch(
                "SELECT topic, partition, next_offset FROM heads WHERE topic = ANY($1)", list(self._topics)
            )
        }
        stored = await positions(list(heads))
        for (topic, partition), offset in stored.items():
            if offset > heads[topic, partition]:
                raise Unavailable(
                    f"{topic}/{partition} ends at {heads[topic, partition]} but was read to {offset}: the bus was put"
                    " back to an earlier moment; restore it and its readers to the same one"
                )
        self._next = {where: stored.get(where, 0) for where in heads}

    def _hear(self, _conn: object, _pid: int, _channel: str, news: object) -> None:
        if not news or not self._topics.isdisjoint(str(news).split(",")):
            self._woken.set()

    async def poll(self, limit: int, timeout: float) -> Sequence[Batch]:
        """Looks at the heads, reads where there is news, else waits to be woken."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        with _as_unavailable():
            while True:
                self._woken.clear()
                if batches := await self._read(limit):
                    return batches
                left = deadline - loop.time()
                if left <= 0:
                    return []
                await wait_at_most(self._woken, min(left, FALLBACK_SECONDS))

    async def _read(self, limit: int) -> Sequence[Batch]:
        heads = await self._conn.fetch(
            "SELECT topic, partition, next_offset FROM heads WHERE topic = ANY($1)", list(self._topics)
        )
        news = [(t, p, self._next.get((t, p), 0)) for t, p, head in heads if head > self._next.get((t, p), 0)]
        if not news:
            return []
        # Shared out evenly, so that no partition waits for ever behind a busy one; in one statement with the starts,
        # so that nothing is deleted in between.
        rows = await self._conn.fetch(
            """SELECT h.topic, h.partition, h.start_offset, l."offset", l.value
               FROM unnest($1::text[], $2::int[], $3::bigint[]) AS want(topic, partition, start)
               JOIN heads h USING (topic, partition)
               LEFT JOIN LATERAL (
                   SELECT "offset", value FROM (
                       SELECT "offset", value, sum(octet_length(value))
                           OVER (ORDER BY "offset" ROWS UNBOUNDED PRECEDING) AS bytes
                       FROM log WHERE log.topic = want.topic AND log.partition = want.partition
                       AND log."offset" >= want.start ORDER BY log."offset" LIMIT $4) AS next
                   WHERE bytes - octet_length(value) < $5) l ON true
               ORDER BY h.topic, h.partition, l."offset" """,
            *zip(*news, strict=True),
            max(1, limit // len(news)),
            POLL_BYTES // len(news),
        )
        found: dict[PartitionId, list[tuple[int, bytes]]] = defaultdict(list)
        lost: dict[PartitionId, tuple[int, int]] = {}
        for topic, partition, start, offset, value in rows:
            where = (topic, partition)
            if start > self._next.get(where, 0):
                lost[where] = (self._next.get(where, 0), start)
            if offset is not None:
                found[where].append((offset, value))
        batches = [Batch(*where, found[where], lost.get(where)) for where in {**found, **lost}]
        self._next |= {(batch.topic, batch.partition): batch.end for batch in batches}
        return batches


def _news_of(topics: Collection[str]) -> str:
    """The topics as the payload of a notification; empty, which wakes all, where PostgreSQL would refuse its length."""
    text = ",".join(topics)
    return text if len(text.encode()) <= MAX_NEWS_BYTES else ""


class _as_unavailable:
    """Turns the driver's passing faults into Unavailable; others go through."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: type[BaseException] | None, exc: BaseException | None, __: object) -> None:
        if exc is not None and not isinstance(exc, Unavailable) and is_transient(exc):
            raise Unavailable(f"the bus's database: {exc}") from exc
