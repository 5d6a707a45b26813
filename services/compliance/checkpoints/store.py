"""SQL of checkpoints: manifests, the notes over them, and the cosignatures that came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.compliance.log.bundle import unpack
from services.compliance.log.domain import Manifest
from shared.database import Connection

COLUMNS = """c.size, c.note, c.published_at,
    ARRAY(SELECT line FROM cosignatures WHERE cosignatures.size = c.size ORDER BY witness) AS cosignatures"""


LAST_CHECKPOINTS = 16
"""Witnesses cosign a checkpoint moments after it was published, so the one to hand out may not be the newest."""


@dataclass(frozen=True, slots=True)
class PublishedCheckpoint:
    """A checkpoint as it is served: the log's note with the witnesses' lines behind it."""

    size: int
    note: str
    published_at: datetime


async def select_unpublished(conn: Connection) -> Manifest | None:
    """The newest manifest, unless its checkpoint is published. A row beyond the head is none of the log's."""
    row = await conn.fetchrow(
        """SELECT size, root, lines FROM manifests WHERE size > (SELECT coalesce(max(size), -1) FROM checkpoints)
           AND size <= (SELECT size FROM head) ORDER BY size DESC LIMIT 1"""
    )
    if row is None:
        return None
    size, root, lines = row
    return Manifest(size, root, unpack(lines).split(b"\n"))


async def insert_checkpoint(conn: Connection, size: int, note: bytes, now: datetime) -> None:
    """Makes a checkpoint visible."""
    await conn.execute(
        "INSERT INTO checkpoints (size, note, published_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        size,
        note.decode(),
        now,
    )


async def insert_cosignature(conn: Connection, size: int, witness: str, line: str) -> None:
    """Adds what a witness vouches for."""
    await conn.execute(
        "INSERT INTO cosignatures (size, witness, line) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", size, witness, line
    )


async def select_uncosigned(conn: Connection, witnesses: Sequence[str]) -> tuple[str, list[str]] | None:
    """The newest checkpoint as the log has signed it, and which of these witnesses have not cosigned it."""
    row = await conn.fetchrow(
        """SELECT c.note, ARRAY(SELECT w.name FROM unnest($1::text[]) AS w (name) WHERE NOT EXISTS (
                      SELECT FROM cosignatures s WHERE s.size = c.size AND s.witness = w.name)) AS lacking
           FROM checkpoints c ORDER BY c.size DESC LIMIT 1""",
        witnesses,
    )
    return None if row is None else (row["note"], row["lacking"])


async def select_latest(conn: Connection, at_least: int = 0) -> PublishedCheckpoint | None:
    """The newest checkpoint, if it is of ``at_least`` that size."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM checkpoints c WHERE c.size >= $1 ORDER BY c.size DESC LIMIT 1",  # noqa: S608 -- our columns
        at_least,
    )
    return None if row is None else _checkpoint(*row)


async def select_most_cosigned(conn: Connection, above: int) -> PublishedCheckpoint | None:
    """Of the last checkpoints of logs larger than ``above`` the one with the most cosignatures, of these the newest."""
    row = await conn.fetchrow(
        f"""SELECT {COLUMNS} FROM (SELECT * FROM checkpoints WHERE size > $1 ORDER BY size DESC LIMIT $2) AS c
            ORDER BY (SELECT count(*) FROM cosignatures WHERE cosignatures.size = c.size) DESC, c.size DESC
            LIMIT 1""",  # noqa: S608 -- our columns
        above,
        LAST_CHECKPOINTS,
    )
    return None if row is None else _checkpoint(*row)


async def select_checkpoints(conn: Connection, after: int, limit: int) -> list[PublishedCheckpoint]:
    """Checkpoints of logs larger than ``after``, by size."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM checkpoints c WHERE c.size > $1 ORDER BY c.size LIMIT $2",  # noqa: S608 -- our columns
        after,
        limit,
    )
    return [_checkpoint(*row) for row in rows]


async def has_checkpoints(conn: Connection) -> bool:
    """Whether anything was ever published, as far as the database knows."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM checkpoints)"))


def _checkpoint(size: int, note: str, published_at: datetime, cosignatures: list[str]) -> PublishedCheckpoint:
    return PublishedCheckpoint(size, note + "".join(cosignatures), published_at)
