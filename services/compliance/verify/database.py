"""The log in a database, as one moment shows it to all processes that read it."""

import asyncio
from asyncio import Runner, Task
from collections.abc import Awaitable, Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

import asyncpg

from services.compliance.log.bundle import CHUNK, NotABundle, unpack
from services.compliance.log.entry import format_time
from services.compliance.verify import store
from services.compliance.verify.columns import EVENT, MENTION, Table
from services.compliance.verify.domain import (
    BUNDLE,
    Computed,
    Faulty,
    Gap,
    ManifestRow,
    Noted,
    Numbers,
    PartitionRow,
    Piece,
    Rows,
)
from services.compliance.verify.pieces import check_width
from services.compliance.verify.sums import (
    check_days,
    check_gaps,
    check_partitions,
    check_sequences,
    check_types,
    gaps_of,
    notes_of,
)
from shared.database import CLOSE_SECONDS, connect
from shared.errors import Unavailable

STEP = 8192
"""How many index rows are asked for at a time."""

_format_again = lru_cache(4)(format_time)
"""For the chunks of one batch, which have the same time."""

T = TypeVar("T")
Conn: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class DatabaseSource:
    """The log in the database behind ``dsn``: as it is now, or as the one sees it that exported ``snapshot``."""

    dsn: str
    snapshot: str | None = None

    def open(self) -> "DatabaseReader":
        """Begins to read. Raises Unavailable."""
        runner = Runner()
        conn: Conn | None = None
        try:
            conn = runner.run(_connect(self.dsn))
            return DatabaseReader(runner.run(_begin(conn, self)), runner, conn)
        except BaseException:
            _end(runner, conn)
            raise


class DatabaseReader:
    """Reads the tables in a transaction that is open on ``conn``, and that lasts as long as this reads."""

    def __init__(self, source: DatabaseSource, runner: Runner, conn: Conn) -> None:
        self._source = source
        self._runner = runner
        self._conn = conn
        head = self._ask(store.select_head(conn))
        if head is None:
            raise Unavailable("the log has no head")
        self._head = head
        self._sites = self._ask(store.select_sites(conn))
        numbers = {site: number for site, number, _ in self._sites}
        self._numbers = Numbers(numbers, self._ask(store.select_types(conn)), head.partition_entries)
        self.numbers: Numbers | None = self._numbers
        self._partitions = self._ask(store.select_partitions(conn))
        self.gaps: Sequence[Gap] = gaps_of(self._partitions, head.partition_entries, head.size)

    def share(self) -> DatabaseSource:
        """The same moment."""
        return self._source

    def size(self) -> int | None:
        """What the head says."""
        return self._head.size

    def latest(self) -> Noted | None:
        """The newest checkpoint."""
        size = self._ask(store.select_latest_size(self._conn))
        return None if size is None else next(iter(self.checkpoints(size - 1, size)), None)

    def checkpoints(self, after: int, upto: int) -> Sequence[Noted]:
        """Those of the table, with their cosignatures."""
        return self._ask(store.select_checkpoints(self._conn, after, upto))

    def manifests(self, after: int, upto: int) -> Sequence[ManifestRow]:
        """Those of the table."""
        return self._ask(store.select_manifests(self._conn, after, upto))

    def pieces(self, first: int, end: int) -> Iterator[Piece]:
        """The chunks, and at the end the tail."""
        gap = next((gap for gap in self.gaps if gap[0] <= first < gap[1]), None)
        if gap is not None:
            yield from self._hashes(first, end)
            return
        chunks = self._ask(store.select_chunks(self._conn, first, end))
        strays = [start for start in chunks if start % CHUNK]
        mentions = Table(self._ask(store.select_mentions(self._conn, first, end)), MENTION)
        with closing(self._events(first, end)) as steps:
            for begin, stop, events in steps:
                for start in range(begin, stop, CHUNK):
                    until = min(start + CHUNK, end)
                    body, hashes, recorded_at = self._chunk(start, until, chunks, strays)
                    recorded = None if recorded_at is None else _format_again(recorded_at)
                    yield Piece(start, until, body, hashes, Rows(events, mentions, recorded))

    def _events(self, first: int, end: int) -> Generator[tuple[int, int, Table], None, None]:
        """The index rows, so many at a time as a socket holds: PostgreSQL makes the next while these are looked at."""
        sent = self._send(store.select_events(self._conn, first, min(first + STEP, end)))
        try:
            for start in range(first, end, STEP):
                stop = min(start + STEP, end)
                rows = self._ask(sent)
                if stop < end:
                    sent = self._send(store.select_events(self._conn, stop, min(stop + STEP, end)))
                yield start, stop, Table(rows, EVENT)
        finally:
            self._ask(_ended(sent))

    def _hashes(self, first: int, end: int) -> Iterator[Piece]:
        """What is left of pruned entries."""
        hashes = self._ask(store.select_leaf_hashes(self._conn, first, end))
        for start in range(first, end, CHUNK):
            if start not in hashes:
                raise Faulty("tile-missing", start, start + CHUNK, "no leaf hashes are kept of these pruned entries")
            yield Piece(start, start + CHUNK, b"", hashes[start])

    def _chunk(self, start: int, end: int, chunks: Mapping[int, store.Chunk], strays: Sequence[int]) -> store.Chunk:
        stray = min([place for place in strays if start < place < end], default=None)
        if stray is not None:
            raise Faulty("unexpected", stray, end, f"a chunk begins at {stray}, within the one at {start}")
        if end - start == CHUNK:
            if start not in chunks:
                raise Faulty("bundle-missing", start, end, "there is no such chunk")
            packed, hashes, recorded_at = chunks[start]
        elif start in chunks:
            raise Faulty("beyond-head", start, end, "these entries are the head's tail, and a chunk holds them too")
        else:
            packed, hashes, recorded_at = self._head.tail, self._head.tail_hashes, None
        check_width(hashes, end - start, start, end)
        try:
            return unpack(packed), hashes, recorded_at
        except NotABundle as exc:
            raise Faulty("bundle-unpacked", start, end, str(exc)) from exc

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The hashes of complete subtrees."""
        first = number * BUNDLE
        rows = self._ask(store.select_subtrees(self._conn, level, first, first + width))
        for subtree in range(first, first + width):
            if subtree not in rows:
                span = BUNDLE**level
                detail = f"there is no row of the hash over them, number {subtree} of level {level}"
                raise Faulty("tile-missing", subtree * span, (subtree + 1) * span, detail)
        return b"".join([rows[subtree] for subtree in range(first, first + width)])

    def check(self, computed: Computed) -> None:
        """The head, the sums, and that nothing lies beyond the head."""
        size, head = computed.size, self._head
        recorded_at = "" if head.recorded_at is None else format_time(head.recorded_at)
        if recorded_at != computed.recorded_at:
            detail = f"the head was recorded at {recorded_at}, the last entry at {computed.recorded_at}"
            raise Faulty("head", size, size, detail)
        if size % CHUNK == 0 and (head.tail or head.tail_hashes):
            raise Faulty("head", size, size, "its tail holds entries, and all of them are in chunks")
        self._check_beyond(size)
        numbers = self._numbers
        check_sequences(self._sites, computed)
        children = self._ask(store.select_children(self._conn))
        check_partitions(self._partitions, children, numbers, computed)
        check_gaps(self._pruned(), computed)
        pruned = [start for start, _ in self.gaps]
        stray = self._ask(store.select_stray_hashes(self._conn, pruned, numbers.partition_entries))
        if stray is not None:
            raise Faulty("unexpected", stray, stray + CHUNK, "leaf hashes are kept that are not its chunk's")
        if not computed.began:
            if not self.gaps:
                check_types(numbers, computed)
            check_days(self._ask(store.select_days(self._conn)), computed)
        misnamed = self._ask(store.select_misnamed_cosignature(self._conn))
        if misnamed is not None:
            signed, witness = misnamed
            raise Faulty("cosignature", signed - 1, signed, f"what is kept as {witness}'s is not signed so")

    def _check_beyond(self, size: int) -> None:
        beyond = self._ask(store.select_first_beyond(self._conn, size, size - size % CHUNK))
        if beyond is not None:
            table, place = beyond
            raise Faulty("beyond-head", place, place + 1, f"{table} has it, and the head counts {size} entries")
        outlying = self._ask(store.select_outlying_subtree(self._conn, size))
        if outlying is not None:
            level, number = outlying
            first, end = number * BUNDLE**level, (number + 1) * BUNDLE**level
            raise Faulty("beyond-head", first, end, f"subtree {number} of level {level} is not complete")

    def unchecked(self) -> Sequence[str]:
        """What was pruned; all else is read."""
        return [*notes_of(self._pruned())]

    def _pruned(self) -> dict[Gap, PartitionRow]:
        return {gap: self._partitions[gap[0] // self._numbers.partition_entries] for gap in self.gaps}

    def close(self) -> None:
        """Ends the transaction and the connection."""
        _end(self._runner, self._conn)

    def _send(self, question: Coroutine[Any, Any, T]) -> "Task[T]":
        """Puts a question to which ``_ask`` gets the answer; nothing else may be asked between."""

        async def send() -> "Task[T]":
            task = asyncio.create_task(question)
            await asyncio.sleep(0)
            return task

        return self._runner.run(send())

    def _ask(self, question: Awaitable[T]) -> T:
        answers: list[T] = []

        async def answer() -> None:
            # A runner's task does not return megabytes: as it gives SIGINT back, `signal` makes a repr of its result.
            answers.append(await question)

        try:
            self._runner.run(answer())
            return answers[0]
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            raise Unavailable(f"the log can't be read: {exc}") from exc


def _connect(dsn: str) -> Coroutine[Any, Any, Conn]:
    return connect(dsn, schema="compliance", application="steward-log-verify", settings={"steward.sites": "*"})


async def _begin(conn: Conn, source: DatabaseSource) -> DatabaseSource:
    """Opens the transaction; returns what another one sees the same by."""
    await conn.transaction(isolation="repeatable_read", readonly=True).start()
    if source.snapshot is None:
        return replace(source, snapshot=await store.export_snapshot(conn))
    await store.use_snapshot(conn, source.snapshot)
    return source


async def _ended(task: "Task[T]") -> None:
    """Returns when nothing is under way any more, whatever comes of it."""
    await asyncio.wait([task])
    _ = task.cancelled() or task.exception()


def _end(runner: Runner, conn: "Conn | None") -> None:
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        if conn is not None:
            runner.run(conn.close(timeout=CLOSE_SECONDS))
    runner.close()
