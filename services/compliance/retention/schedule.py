"""Moves partitions on their way: into the archive, out of the database, and back for a while.

One replica does so at a time. Each step can be repeated: what is in the archive with the same bytes is left there, and
the state changes in the transaction that has the effect.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.compliance.checkpoints.handlers import read_latest
from services.compliance.log.bundle import BUNDLE
from services.compliance.log.domain import Damaged
from services.compliance.log.handlers import count_restored, read_bundle, read_tiles, restore_entries
from services.compliance.log.hashing import fold, leaf_hashes
from services.compliance.log.tiles import Bundle, NotATile, edge_of, split_bundle, tiles_of
from services.compliance.retention import store
from services.compliance.retention.domain import Partition, keeps
from services.compliance.retention.store import Archive
from services.compliance.retention.vault import ArchiveDamaged, Vault
from shared.database import Pool, connect
from shared.errors import Unavailable
from shared.events import GROUP
from shared.events.compliance import LogArchived, LogPruned, LogRestored
from shared.telemetry import log
from shared.transactions import Transaction, begin

SERVICE = "compliance"
SUBJECT = "log"
PAUSE_SECONDS = 5.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Retention:
    """The schedule over a service's database and its archive."""

    dsn: str
    pool: Pool
    vault: Vault
    clock: Callable[[], datetime] = _now

    async def run(self) -> None:
        """Waits until no other replica does this, then does what is due, for ever. Raises Unavailable."""
        conn = await connect(self.dsn, schema=SERVICE, application="steward-retention")
        try:
            while not await store.try_lock(conn):
                await asyncio.sleep(PAUSE_SECONDS)
            while await store.try_lock(conn):
                if not await self.advance():
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            conn.terminate()

    async def advance(self) -> bool:
        """Takes one partition one step further, and says whether there was one. Raises Unavailable.

        Where the log or the archive is damaged, or the partition must stay after all, it halts until asked for again.
        """
        async with self.pool.acquire() as conn:
            archive = await store.select_next(conn, self.clock())
        if archive is None:
            return False
        async with self.pool.acquire() as conn, conn.transaction():
            await store.see_all_sites(conn)
            [partition] = await store.select_partitions(conn, [archive.partition])
        try:
            if archive.state == "planned":
                await self._archive(archive, partition)
            elif archive.state == "restoring":
                await self._restore(archive, partition)
            else:
                await self._prune(archive)
        except (ArchiveDamaged, Damaged, NotATile) as exc:
            log.error("retention.halted", service=SERVICE, partition=archive.partition, reason=str(exc))
            async with self.pool.acquire() as conn:
                await store.update_fault(conn, archive.partition, str(exc))
        return True

    async def _archive(self, archive: Archive, partition: Partition) -> None:
        roots = b""
        for bundle in bundles(partition):
            async with self.pool.acquire() as conn:
                body = await read_bundle(conn, bundle)
                [leaves] = (await read_tiles(conn, [bundle.leaves])).values()
            if leaf_hashes(split_bundle(bundle, body)) != leaves:
                raise Damaged(f"entries {bundle.start} to {bundle.start + BUNDLE - 1} are not what their hashes say")
            await self._store(bundle.path, body)
            await self._store(bundle.leaves.path, leaves)
            roots += fold(leaves)
        async with self.pool.acquire() as conn:
            latest = await read_latest(conn)
            if latest is None or latest.size < partition.end:
                raise Unavailable(f"no checkpoint tells of the entries up to {partition.end - 1} yet")
            tiles = await read_tiles(conn, {*edge_of(latest.size), *(t for t in tiles_of(latest.size) if t.level)})
        for tile, hashes in tiles.items():
            await self._store(tile.path, hashes)
        await self._store_checkpoint(f"checkpoints/{latest.size}", latest.note.encode())
        await self.vault.settle()
        async with self._step(archive) as tx:
            root = fold(roots)
            await store.update_archived(tx.conn, archive.partition, self.vault.url, root)
            moved = LogArchived(first=partition.start, end=partition.end, root=root.hex(), location=self.vault.url)
            tx.record(moved, subject=SUBJECT, site_id=GROUP)

    async def _prune(self, archive: Archive) -> None:
        async with self._step(archive) as tx:
            await store.lock_holds(tx.conn)
            # A hold that came since the partition was read may be of a subject that was not looked for in it.
            [partition] = await store.select_partitions(tx.conn, [archive.partition])
            policies, holds = await store.select_policies(tx.conn), await store.select_holds(tx.conn)
            if reasons := keeps(partition, policies, holds, self.clock()):
                await store.update_fault(tx.conn, archive.partition, f"it must stay: {'; '.join(reasons)}")
                return
            moved = LogPruned(**_moved(archive, partition), asked_by=archive.asked_by)
            tx.record(moved, subject=SUBJECT, site_id=GROUP)
            await store.prune(tx.conn, archive.partition)
        log.info("log.pruned", service=SERVICE, partition=archive.partition)

    async def _restore(self, archive: Archive, partition: Partition) -> None:
        async with self._step(archive) as tx:
            await store.reopen(tx.conn, archive.partition)
            days: Counter[tuple[int, int, int]] = Counter()
            for bundle in bundles(partition):
                body = await self.vault.find(bundle.path)
                if body is None:
                    raise ArchiveDamaged(f"{self.vault.url}/{bundle.path} is missing")
                entries = split_bundle(bundle, body)
                [leaves] = (await read_tiles(tx.conn, [bundle.leaves])).values()
                if leaf_hashes(entries) != leaves:
                    raise ArchiveDamaged(f"{self.vault.url}/{bundle.path} does not hold the entries that were pruned")
                days.update(await restore_entries(tx.conn, archive.partition, bundle.start, entries))
            await count_restored(tx.conn, days)
            await store.update_restored(tx.conn, archive.partition)
            moved = LogRestored(**_moved(archive, partition), until=archive.restored_until)
            tx.record(moved, subject=SUBJECT, site_id=GROUP)
        log.info("log.restored", service=SERVICE, partition=archive.partition)

    async def _store_checkpoint(self, path: str, note: bytes) -> None:
        """Leaves one that is there: it may have fewer signatures, since witnesses sign one after the other."""
        there = await self.vault.find(path)
        if there is None or there.partition(b"\n\n")[0] != note.partition(b"\n\n")[0]:
            await self._store(path, note)

    async def _store(self, path: str, body: bytes) -> None:
        """Writes an object and reads it back."""
        await self.vault.put(path, body)
        if await self.vault.find(path) != body:
            raise ArchiveDamaged(f"{self.vault.url}/{path} does not hold what was written")

    @asynccontextmanager
    async def _step(self, archive: Archive) -> AsyncIterator[Transaction]:
        """A transaction in the flow of who asked, in the service's own name."""
        async with begin(self.pool, SERVICE, correlation_id=archive.correlation_id) as tx:
            await store.see_all_sites(tx.conn)
            yield tx


def bundles(partition: Partition) -> Iterator[Bundle]:
    """The bundles of a complete partition; all are full, since its bounds are multiples of a bundle."""
    for start in range(partition.start, partition.end, BUNDLE):
        yield Bundle(start // BUNDLE)


def _moved(archive: Archive, partition: Partition) -> dict[str, Any]:
    root = (archive.root or b"").hex()
    return {"first": partition.start, "end": partition.end, "root": root, "location": archive.location or ""}
