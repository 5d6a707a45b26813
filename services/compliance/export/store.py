"""SQL of exports: where a site's entries of a time lie, and the newest checkpoint with what its manifest counts."""

from dataclasses import dataclass
from datetime import datetime

from services.compliance.log.bundle import CHUNK, unpack
from shared.database import Connection

LAST_CHECKPOINTS = 16
"""Witnesses cosign a checkpoint moments after it was published, so the one to export may not be the newest."""


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """A published checkpoint: its signed note with the cosignatures, and the lines of its manifest."""

    size: int
    note: bytes
    lines: list[bytes]


async def select_best_checkpoint(conn: Connection) -> Checkpointed | None:
    """Of the last checkpoints the one with the most cosignatures, and of these the newest."""
    row = await conn.fetchrow(
        """SELECT size, note, lines,
                  ARRAY(SELECT line FROM cosignatures c WHERE c.size = newest.size ORDER BY witness) AS cosignatures
           FROM (SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT $1) AS newest JOIN manifests USING (size)
           ORDER BY (SELECT count(*) FROM cosignatures c WHERE c.size = newest.size) DESC, size DESC LIMIT 1""",
        LAST_CHECKPOINTS,
    )
    if row is None:
        return None
    note = row["note"] + "".join(f"{line}\n" for line in row["cosignatures"])
    return Checkpointed(row["size"], note.encode(), unpack(row["lines"]).split(b"\n"))


async def scope_to(conn: Connection, site_id: str) -> None:
    """Lets the rest of the transaction see no other site's index rows."""
    await conn.execute("SELECT set_config('steward.sites', $1, true)", site_id)


async def select_index_at(conn: Connection, moment: datetime) -> int:
    """An index before which nothing was recorded at ``moment`` or later; at most a chunk before the first that was."""
    index: int = await conn.fetchval(
        """SELECT coalesce((SELECT start FROM chunks WHERE recorded_at >= $1 ORDER BY recorded_at, start LIMIT 1),
                           (SELECT size - size % $2 FROM head))""",
        moment,
        CHUNK,
    )
    return index


async def select_indices(conn: Connection, site_id: str, start: int, end: int) -> list[int]:
    """The indices of the site's entries from ``start`` up to ``end``."""
    rows = await conn.fetch(
        """SELECT index FROM events
           WHERE index >= $2 AND index < $3 AND site = (SELECT number FROM sites WHERE site_id = $1) ORDER BY index""",
        site_id,
        start,
        end,
    )
    return [row["index"] for row in rows]


async def select_last_index(conn: Connection, site_id: str, start: int, end: int) -> int | None:
    """The index of the site's last entry from ``start`` up to ``end``."""
    index: int | None = await conn.fetchval(
        """SELECT max(index) FROM events
           WHERE index >= $2 AND index < $3 AND site = (SELECT number FROM sites WHERE site_id = $1)""",
        site_id,
        start,
        end,
    )
    return index
