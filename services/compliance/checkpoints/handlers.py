"""Reading what was published."""

from services.compliance.checkpoints import store
from services.compliance.checkpoints.store import PublishedCheckpoint
from shared.database import Connection


async def read_latest(conn: Connection) -> PublishedCheckpoint | None:
    """The newest checkpoint, with the cosignatures that have come; None before the first."""
    return await store.select_latest(conn)


async def read_checkpoints(conn: Connection, after: int, limit: int) -> list[PublishedCheckpoint]:
    """The first checkpoints of logs larger than ``after``, by size."""
    return await store.select_checkpoints(conn, after, limit)
