"""Commands on API keys."""

from datetime import datetime

from services.compliance.access import store
from services.compliance.access.domain import Key, check_expiry, revoke
from shared.api_keys import upsert_key
from shared.events import GROUP
from shared.events.compliance import KeyChanged
from shared.resource import check_version
from shared.transactions import Transaction, new_id


async def issue_key(tx: Transaction, name: str, grants: list[str], expires_at: datetime, sha256: str) -> Key:
    """Makes a key with the secret behind ``sha256``. Raises Malformed, or Conflict when the name is taken.

    The secret itself never comes here, so that neither the database nor a remembered answer can hold it.
    """
    check_expiry(expires_at, tx.now)
    key = Key(
        id=new_id(),
        name=name,
        grants=grants,
        issued_by=tx.actor,
        issued_at=tx.now,
        expires_at=expires_at,
        version=1,
    )
    await store.insert_key(tx.conn, key, sha256)
    await _tell(tx, key, sha256)
    return key


async def revoke_key(tx: Transaction, key_id: str, expected_version: int) -> Key:
    """Ends a key before its time. Raises NotFound, Stale, Conflict."""
    old = await store.select_key(tx.conn, key_id)
    check_version(f"key {key_id}", old, expected_version)
    key = revoke(old, tx.actor, tx.now)
    await _tell(tx, key, await store.update_revocation(tx.conn, key, expected_version))
    return key


async def _tell(tx: Transaction, key: Key, sha256: str) -> None:
    """Makes the key known here, at once, and to the other services."""
    changed = KeyChanged(
        name=key.name,
        sha256=sha256,
        grants=key.grants,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        issued_by=key.issued_by,
    )
    await upsert_key(tx.conn, key.id, changed)
    tx.record(changed, subject=key.id, site_id=GROUP)
