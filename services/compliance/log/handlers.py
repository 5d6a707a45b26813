"""Commands on the log: append, and read what was appended."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from services.compliance.log import store
from services.compliance.log.append import grow
from services.compliance.log.domain import Damaged, read_chunk
from shared.database import Connection
from shared.errors import Unavailable
from shared.events import Event
from shared.transactions import Transaction


async def append_events(tx: Transaction, events: Sequence[Event[Any]]) -> None:
    """Appends a batch. When ``tx`` commits, each event is an entry, indexed, and under the head's root.

    Only an event that the database can't hold is at fault itself. Any other error means that the log is not in order:
    Unavailable then stops the consumer where it is, so that events wait on the bus and none is put aside.
    """
    try:
        head = await store.lock_head(tx.conn)
        next_sequences = await store.select_next_sequences(tx.conn, {event.site_id for event in events})
        await store.insert_growth(tx.conn, grow(head, next_sequences, events, tx.now))
    except asyncpg.DataError:
        raise
    except (asyncpg.PostgresError, Damaged) as exc:
        raise Unavailable(f"the log can't be appended to; run `steward log verify`: {exc}") from exc


async def read_entries(conn: Connection, indices: Sequence[int]) -> dict[int, tuple[bytes, bytes]]:
    """The entry and the leaf hash of each index. Raises Damaged when one can't be read."""
    wanted = set(indices)
    chunks = await store.select_chunks(conn, indices)
    found = {index: (entry, leaf) for c in chunks for index, entry, leaf in read_chunk(c) if index in wanted and entry}
    if missing := wanted - found.keys():
        raise Damaged(f"entry {min(missing)} can't be read; run `steward log verify`")
    return found
