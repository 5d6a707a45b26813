"""A log in a database, as the appender writes it: partitions of 512 entries, a signed checkpoint at each manifest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from services.compliance.checkpoints.store import insert_checkpoint, insert_cosignature
from services.compliance.log.domain import Growth
from services.compliance.log.store import append
from tests.unit.compliance.verify.grown import WITNESS, Grown, signed

PARTITION = 512


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of the superuser to compliance's tables."""
    conn = await asyncpg.connect(dsn, server_settings={"search_path": "compliance", "steward.sites": "*"})
    try:
        yield conn
    finally:
        await conn.close()


async def store_log(dsn: str, log: Grown) -> None:
    """Writes the log."""
    async with connected(dsn) as conn, conn.transaction():
        await conn.execute("UPDATE head SET partition_entries = $1", PARTITION)
        for growth in log.growths:
            await store_growth(conn, growth)


async def store_growth(conn: "asyncpg.Connection[asyncpg.Record]", growth: Growth) -> None:
    """Writes one batch, and the checkpoint where a manifest closes it."""
    await append(conn, growth, epoch=0, lease_seconds=0)
    if growth.manifest is None:
        return
    size = growth.manifest.size
    *note, cosignature = signed(size, growth.manifest.root).splitlines(keepends=True)
    await insert_checkpoint(conn, size, b"".join(note), growth.after.recorded_at)  # type: ignore[arg-type]  # -- it grew
    await insert_cosignature(conn, size, WITNESS.verifier.name, cosignature.decode())
