"""SQL of policies."""

from functools import lru_cache

import asyncpg

from services.inventory.policies.domain import Policy, PublishedPolicy
from shared.database import Connection, found
from shared.errors import Conflict


async def insert_policy(conn: Connection, published: PublishedPolicy, document: str) -> None:
    """Adds a version, with the text that its digest is of. Raises Conflict when there is one of that number."""
    added = await conn.fetchval(
        """INSERT INTO policies (version, document, sha256, published_by, published_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT DO NOTHING RETURNING true""",
        published.version,
        document,
        published.sha256,
        published.published_by,
        published.published_at,
    )
    if not added:
        raise Conflict(f"there is a policy of version {published.version} already")


async def select_newest_version(conn: Connection) -> int | None:
    """The number of the newest version, None where none was published."""
    newest: int | None = await conn.fetchval("SELECT max(version) FROM policies")
    return newest


async def select_policy(conn: Connection, version: int) -> PublishedPolicy:
    """One version. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM policies WHERE version = $1", version)
    return _published(found(row, f"policy {version}"))


async def select_policies(conn: Connection, after: int, limit: int) -> list[PublishedPolicy]:
    """Versions behind ``after``, in their order."""
    rows = await conn.fetch("SELECT * FROM policies WHERE version > $1 ORDER BY version LIMIT $2", after, limit)
    return [_published(row) for row in rows]


def _published(row: asyncpg.Record) -> PublishedPolicy:
    return PublishedPolicy.model_validate(dict(row) | {"policy": _parsed(row["document"])})


@lru_cache(maxsize=8)
def _parsed(document: str) -> Policy:
    return Policy.model_validate_json(document)
