"""SQL of search: it reads the index beside the log and gives the numbers of entries."""

from collections.abc import Set

from services.compliance.search.domain import Order, Query
from shared.database import Connection
from shared.errors import NotFound

COMMONEST = "probe.result"
CONDITIONS = {
    "visible": "site_id = ANY({})",
    "site_id": "site_id = {}",
    "type": "type = {}",
    "not_types": "type <> ALL({})",
    "subject": "subject = {}",
    "actor": "actor = {}",
    "correlation_id": "correlation_id = {}",
    "from_time": "time >= {}",
    "to_time": "time < {}",
}


async def select_indices(conn: Connection, query: Query, order: Order, after: int | None, limit: int) -> list[int]:
    """The indices of up to ``limit`` entries that ``query`` seeks, behind the index ``after`` in that order."""
    asked = [(text, getattr(query, part)) for part, text in CONDITIONS.items() if getattr(query, part) is not None]
    if after is not None:
        asked.append(("index > {}" if order == "asc" else "index < {}", after))
    conditions = [text.format(f"${number}") for number, (text, _) in enumerate(asked, start=1)]
    if query.not_types and COMMONEST in query.not_types:
        # A partial index serves only queries that say its condition in so many words, not in a parameter.
        conditions.append(f"type <> '{COMMONEST}'")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await conn.fetch(
        f"SELECT index FROM events {where} ORDER BY index {order} LIMIT {limit:d}",  # noqa: S608 -- our own conditions
        *[list(value) if isinstance(value, Set) else value for _, value in asked],
    )
    return [row["index"] for row in rows]


async def select_site_of(conn: Connection, index: int) -> str:
    """The site of an entry. Raises NotFound."""
    site_id: str | None = await conn.fetchval("SELECT site_id FROM events WHERE index = $1", index)
    if site_id is None:
        raise NotFound(f"no entry {index}")
    return site_id
