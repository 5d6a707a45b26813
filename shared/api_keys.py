"""What each service keeps of the API keys: the digests and grants that ``key.changed`` tells."""

from collections.abc import Mapping

from shared.consumer import Handler
from shared.database import Connection
from shared.events import Event, EventData
from shared.events.compliance import KeyChanged
from shared.transactions import Transaction


async def keep_key(tx: Transaction, event: Event[KeyChanged]) -> None:
    """Takes over the key's full state."""
    await upsert_key(tx.conn, event.subject, event.data)


async def upsert_key(conn: Connection, key_id: str, key: KeyChanged) -> None:
    """Stores a key. A revocation stays, also when an older state comes after it."""
    await conn.execute(
        """INSERT INTO api_keys (sha256, id, name, grants, expires_at, revoked_at, issued_by)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (sha256) DO UPDATE
           SET name = excluded.name, grants = excluded.grants, expires_at = excluded.expires_at,
               revoked_at = coalesce(api_keys.revoked_at, excluded.revoked_at),
               issued_by = coalesce(excluded.issued_by, api_keys.issued_by)""",
        key.sha256,
        key_id,
        key.name,
        key.grants,
        key.expires_at,
        key.revoked_at,
        key.issued_by,
    )


HANDLERS: Mapping[type[EventData], Handler] = {KeyChanged: keep_key}
