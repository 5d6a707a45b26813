"""Reading what was published."""

from services.compliance.checkpoints import store
from services.compliance.checkpoints.store import PublishedCheckpoint
from shared.database import Connection


async def read_latest(conn: Connection) -> PublishedCheckpoint | None:
    """The newest checkpoint, with the cosignatures that have come; None before the first."""
    return await store.select_latest(conn)


async def read_most_cosigned(conn: Connection, above: int = -1) -> PublishedCheckpoint | None:
    """The checkpoint to hand out: of the last ones of logs larger than ``above``, that with the most cosignatures."""
    return await store.select_most_cosigned(conn, above)


async def read_checkpoints(conn: Connection, after: int, limit: int) -> list[PublishedCheckpoint]:
    """The first checkpoints of logs larger than ``after``, by size."""
    return await store.select_checkpoints(conn, after, limit)
