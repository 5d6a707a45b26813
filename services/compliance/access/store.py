"""SQL of API keys. The digest of a key's secret goes in and is never shown."""

from services.compliance.access.domain import Key
from shared.database import Connection, found
from shared.errors import Conflict, Stale

COLUMNS = "id, name, grants, issued_by, issued_at, expires_at, revoked_by, revoked_at, version"


async def insert_key(conn: Connection, key: Key, sha256: str) -> None:
    """Adds a key. Raises Conflict when its name was ever used, since it stands as the actor in the audit trail."""
    added = await conn.fetchval(
        """INSERT INTO issued_keys (id, name, sha256, grants, issued_by, issued_at, expires_at, version)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING RETURNING true""",
        key.id,
        key.name,
        sha256,
        key.grants,
        key.issued_by,
        key.issued_at,
        key.expires_at,
        key.version,
    )
    if not added:
        raise Conflict(f"there is or was a key {key.name}; give this one another name")


async def update_revocation(conn: Connection, key: Key, expected_version: int) -> str:
    """Stores that the key is revoked and returns the digest of its secret. Raises Stale."""
    sha256: str | None = await conn.fetchval(
        """UPDATE issued_keys SET revoked_by = $2, revoked_at = $3, version = $4
           WHERE id = $1 AND version = $5 RETURNING sha256""",
        key.id,
        key.revoked_by,
        key.revoked_at,
        key.version,
        expected_version,
    )
    if sha256 is None:
        raise Stale(f"key {key.id} was changed by somebody else; get it again")
    return sha256


async def select_key(conn: Connection, key_id: str) -> Key:
    """One key. Raises NotFound."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM issued_keys WHERE id = $1", key_id)  # noqa: S608 -- our columns
    return Key.model_validate(dict(found(row, f"key {key_id}")))


async def select_keys(conn: Connection, after: str | None, limit: int) -> list[Key]:
    """Keys in the order of their issue, behind the id ``after``."""
    rows = await conn.fetch(
        f"""SELECT {COLUMNS} FROM issued_keys WHERE $1::text IS NULL OR id > $1
            ORDER BY id LIMIT $2""",  # noqa: S608 -- our columns
        after,
        limit,
    )
    return [Key.model_validate(dict(row)) for row in rows]
