"""Commands on imports: a file is taken in at once, and carried out by the schedule, as a whole or not at all."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO

from services.inventory.documents.upload import Upload
from services.inventory.exports.columns import COLUMNS
from services.inventory.imports import store
from services.inventory.imports.domain import (
    MOST_ATTEMPTS,
    MOST_ROWS,
    BadFile,
    Import,
    Job,
    NewImport,
    Outcome,
    RawRow,
    Row,
    narrowed,
    read_row,
)
from services.inventory.imports.hardware import Hardware
from services.inventory.imports.package import Part, open_parts
from services.inventory.imports.putting import Putting
from services.inventory.imports.references import References
from services.inventory.imports.store import Counts
from shared.database import Pool, is_transient
from shared.errors import Malformed, Refused, Unavailable
from shared.events import GROUP
from shared.grants import Caller
from shared.telemetry import log
from shared.transactions import Transaction, flush_outbox, new_id, utc_now

SERVICE = "inventory"
SILENT_SECONDS = 60

Clock = Callable[[], datetime]
Watch = Callable[[int], Awaitable[None]]


class _NothingStands(Exception):
    """Ends the transaction of a job that is to change nothing."""


async def _unwatched(_: int) -> None:
    """Nobody looks on."""


async def check_file(upload: Upload, wanted: NewImport) -> None:
    """Raises Malformed unless the file opens and its first line names columns of its kind."""
    try:
        await asyncio.to_thread(_first_part, upload.file, upload.size, wanted)
    except BadFile as exc:
        raise Malformed("file", str(exc), "a CSV whose first line names the columns") from exc


def _first_part(file: IO[bytes], size: int, wanted: NewImport) -> None:
    parts = open_parts(file, size, wanted.kind, wanted.format, _usual(wanted))
    for part in parts:
        part.next_batch()
        break


def _usual(wanted: NewImport) -> dict[str, str]:
    usual = {"site": wanted.site_id} if wanted.site_id != GROUP else {}
    return usual | ({"system": wanted.system} if wanted.system else {})


async def request_import(tx: Transaction, wanted: NewImport, upload: Upload, caller: Caller) -> Import:
    """Keeps a file that is to be taken in; it waits for its turn."""
    job = Job(
        **wanted.model_dump(exclude={"system"}),
        id=new_id(),
        version=1,
        name=upload.name[:200],
        size=upload.size,
        sha256=upload.sha256,
        reason=tx.reason,
        made_by=tx.actor,
        made_at=tx.now,
        grants=narrowed(caller, wanted.site_id, wanted.site_id == GROUP),
        correlation_id=tx.correlation_id,
        usual=_usual(wanted),
        state="waiting",
        applied=False,
        fault=None,
        attempts=0,
        rows_expected=None,
        **Counts().__dict__,
        started_at=None,
        ended_at=None,
    )
    await store.insert_import(tx.conn, job, _pieces(upload.file))
    return await store.select_import(tx.conn, job.id)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    file.seek(0)
    while piece := file.read(store.PIECE_BYTES):
        yield piece


async def run_next(pool: Pool, clock: Clock = utc_now, watch: Watch = _unwatched) -> bool:
    """Carries out the oldest job that has not ended; False when there is none, or another process is at it.

    A job whose process has died starts over: nothing of it stands before all of it does. ``watch`` is told the number
    of each batch before its changes are put.
    """
    async with pool.acquire() as aside:
        if not await store.is_work_waiting(aside):
            return False
    try:
        async with pool.acquire() as conn, conn.transaction():
            if not await store.take_turn(conn, SILENT_SECONDS):
                return False
            job = await store.select_next(conn)
            if job is None:
                return False
            tx = Transaction(conn, SERVICE, clock(), job.made_by, job.correlation_id, reason=job.reason)
            await _Run(pool, tx, job, watch).carry_out()
    except _NothingStands as exc:
        import_id, fault = exc.args
        async with pool.acquire() as aside, aside.transaction():
            await store.end_import(aside, import_id, False, fault, clock())
    return True


async def forget_old(pool: Pool, clock: Clock = utc_now) -> None:
    """Forgets the reports of jobs that have ended long ago."""
    async with pool.acquire() as conn:
        await store.delete_old(conn, clock())


@dataclass
class _Run:
    """One attempt at a job. What it changes goes over the transaction, what it tells over other connections."""

    pool: Pool
    tx: Transaction
    job: Job
    watch: Watch
    counts: Counts = field(default_factory=Counts)
    batches: int = 0

    async def carry_out(self) -> None:
        """Puts all rows. Raises _NothingStands where that is how the job ends."""
        job = self.job
        if job.attempts >= MOST_ATTEMPTS:
            raise _NothingStands(job.id, f"it was begun {job.attempts} times and never came to its end")
        async with self.pool.acquire() as aside, aside.transaction():
            await store.start_import(aside, job.id, self.tx.now)
        try:
            with TemporaryFile() as file:
                await self._fetch(file)
                await self._put_all(file)
        except BadFile as exc:
            raise _NothingStands(job.id, str(exc)) from exc
        except Exception as exc:
            # A serial number that somebody else takes at this moment, a connection that is gone: it will pass.
            if is_transient(exc):
                raise
            if isinstance(exc, Refused):
                raise Unavailable(f"import {job.id} has met with another change and starts over: {exc}") from exc
            log.error("import.failed", import_id=job.id, exc_info=exc)
            raise _NothingStands(job.id, f"a fault of Steward, which its log tells of: {type(exc).__name__}") from exc
        await self._end()

    async def _end(self) -> None:
        if self.job.errors == "refuse" and self.counts.refused and not self.job.dry_run:
            refused = f"{self.counts.refused} of {self.counts.rows_read} rows are refused, so none was taken"
            raise _NothingStands(self.job.id, refused)
        if self.job.dry_run:
            raise _NothingStands(self.job.id, None)
        await store.end_import(self.tx.conn, self.job.id, True, None, self.tx.now)

    async def _fetch(self, file: IO[bytes]) -> None:
        number = 0
        while (piece := await store.select_piece(self.tx.conn, self.job.id, number)) is not None:
            file.write(piece)
            number += 1
        file.flush()

    async def _put_all(self, file: IO[bytes]) -> None:
        job = self.job
        names = References(self.tx, job.caller)
        putting = Putting(self.tx, job.caller, names, job.restore)
        hardware = Hardware(self.tx, job.caller, names, job.restore)
        parts: Iterator[Part] = open_parts(file, job.size, job.kind, job.format, job.usual)
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            usual = {name: value for name, value in job.usual.items() if name in _names_of(part)}
            expected = None if job.format == "zip" else part.expected
            async with aclosing(_batches(part)) as batches:
                async for rows in batches:
                    await self._put_batch(part, rows, usual, putting, hardware, expected)

    async def _put_batch(
        self,
        part: Part,
        rows: list[RawRow],
        usual: dict[str, str],
        putting: Putting,
        hardware: Hardware,
        expected: int | None,
    ) -> None:
        if self.counts.rows_read + len(rows) > MOST_ROWS:
            raise BadFile(f"the file has more than {MOST_ROWS} rows")
        self.batches += 1
        await self.watch(self.batches)
        read = [read_row(part.columns, row, usual) for row in rows]
        wanted = [row for row in read if isinstance(row, Row)]
        if part.kind == "components":
            made = iter(await hardware.put(wanted) if wanted else [])
        else:
            made = iter([await putting.put(part.kind, row) for row in wanted])
        outcomes = [next(made) if isinstance(row, Row) else row for row in read]
        await flush_outbox(self.tx)
        await self._tell(part.kind, outcomes, expected)

    async def _tell(self, kind: str, outcomes: list[Outcome], expected: int | None) -> None:
        first = self.counts.rows_read
        told = {what: sum(one.what == what for one in outcomes) for what in ("created", "changed", "same", "refused")}
        sums = {what: getattr(self.counts, what) + count for what, count in told.items()}
        self.counts = replace(self.counts, rows_read=first + len(outcomes), **sums)
        async with self.pool.acquire() as aside, aside.transaction():
            await store.insert_reports(aside, self.job.id, kind, first, outcomes)
            await store.update_progress(aside, self.job.id, self.counts, expected)


async def _batches(part: Part) -> AsyncGenerator[list[RawRow], None]:
    """The rows of a part; each batch is read while the one before is put. Raises BadFile."""
    upcoming = asyncio.create_task(asyncio.to_thread(part.next_batch))
    try:
        while rows := await upcoming:
            upcoming = asyncio.create_task(asyncio.to_thread(part.next_batch))
            yield rows
    finally:
        # A thread can't be cancelled, and the file must stay open for as long as it reads.
        await asyncio.gather(upcoming, return_exceptions=True)


def _names_of(part: Part) -> set[str]:
    return {column.name for column in COLUMNS[part.kind]}
