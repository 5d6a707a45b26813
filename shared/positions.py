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


@dataclass(frozen=True)
class Move:
    """One partition's step from one position to the next."""

    topic: str
    partition: int
    old: Position
    new: Position


async def stored_offsets(pool: Pool, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """The next offset of each of ``partitions`` that was read before."""
    rows = await pool.fetch("SELECT topic, partition, next_offset FROM positions")
    stored = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    return {where: stored[where] for where in partitions if where in stored}


async def select_positions(conn: Connection, partitions: Sequence[tuple[str, int]]) -> list[Position]:
    """The position of each of ``partitions``, in their order, as this transaction sees it."""
    rows = await conn.fetch(
        """SELECT next_offset, coalesce(sequences, '{}') AS sequences
           FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS wanted(topic, partition, place)
           LEFT JOIN positions USING (topic, partition) ORDER BY place""",
        *zip(*partitions, strict=True),
    )
    return [Position(row["next_offset"], row["sequences"]) for row in rows]


async def move_positions(conn: Connection, moves: Sequence[Move]) -> None:
    """Stores each new position whose old one still stands. Raises Replaced when somebody else has moved one."""
    first = [move for move in moves if move.old.next_offset is None]
    later = [move for move in moves if move.old.next_offset is not None]
    moved = await _insert_positions(conn, first) + await _update_positions(conn, later)
    if moved < len(moves):
        names = ", ".join(f"{move.topic}/{move.partition}" for move in moves)
        raise Replaced(f"another consumer has moved on one of {names}")


async def _insert_positions(conn: Connection, moves: Sequence[Move]) -> int:
    if not moves:
        return 0
    inserted = await conn.fetch(
        """INSERT INTO positions (topic, partition, next_offset, sequences)
           SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::jsonb[])
           ON CONFLICT DO NOTHING RETURNING true""",
        *_columns(moves),
    )
    return len(inserted)


async def _update_positions(conn: Connection, moves: Sequence[Move]) -> int:
    if not moves:
        return 0
    updated = await conn.fetch(
        """UPDATE positions SET next_offset = new.next_offset, sequences = new.sequences
           FROM unnest($1::text[], $2::int[], $3::bigint[], $4::jsonb[], $5::bigint[])
               AS new(topic, partition, next_offset, sequences, old_offset)
           WHERE positions.topic = new.topic AND positions.partition = new.partition
             AND positions.next_offset = new.old_offset RETURNING true""",
        *_columns(moves),
        [move.old.next_offset for move in moves],
    )
    return len(updated)


def _columns(moves: Sequence[Move]) -> tuple[list[object], ...]:
    return (
        [move.topic for move in moves],
        [move.partition for move in moves],
        [move.new.next_offset for move in moves],
        [dict(move.new.sequences) for move in moves],
    )
