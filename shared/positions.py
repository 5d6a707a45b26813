"""How far this service has read each partition, and the last sequence of each source it has applied there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.database import Connection, Pool
from shared.errors import Replaced


@dataclass(frozen=True)
class Position:
    """The next offset to read and, by source, the last sequence applied. None stands for "never read"."""

    next_offset: int | None
    sequences: Mapping[str, int]


async def stored_offsets(pool: Pool, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """The next offset of each of ``partitions`` that was read before."""
    rows = await pool.fetch("SELECT topic, partition, next_offset FROM positions")
    stored = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    return {where: stored[where] for where in partitions if where in stored}


async def select_position(conn: Connection, topic: str, partition: int) -> Position:
    """The position as this transaction sees it."""
    row = await conn.fetchrow(
        "SELECT next_offset, sequences FROM positions WHERE topic = $1 AND partition = $2", topic, partition
    )
    return Position(row["next_offset"], row["sequences"]) if row else Position(None, {})


async def move_position(conn: Connection, topic: str, partition: int, old: Position, new: Position) -> None:
    """Stores ``new`` if the position is still ``old``. Raises Replaced when somebody else has moved it."""
    if old.next_offset is None:
        moved = await conn.fetchval(
            """INSERT INTO positions (topic, partition, next_offset, sequences) VALUES ($1, $2, $3, $4)
               ON CONFLICT DO NOTHING RETURNING true""",
            topic,
            partition,
            new.next_offset,
            dict(new.sequences),
        )
    else:
        moved = await conn.fetchval(
            """UPDATE positions SET next_offset = $4, sequences = $5
               WHERE topic = $1 AND partition = $2 AND next_offset = $3 RETURNING true""",
            topic,
            partition,
            old.next_offset,
            new.next_offset,
            dict(new.sequences),
        )
    if not moved:
        raise Replaced(f"{topic}/{partition} was moved on from {old.next_offset} by another consumer")
