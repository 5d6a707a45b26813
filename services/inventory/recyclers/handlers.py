"""Commands on recyclers."""

from services.inventory.history.handlers import keep
from services.inventory.recyclers import store
from services.inventory.recyclers.domain import Recycler, RecyclerDetails, check_details, full_state
from shared.database import Connection
from shared.resource import check_version
from shared.transactions import Transaction, new_id


async def find_recycler(conn: Connection, recycler_id: str) -> Recycler:
    """The recycler. Raises NotFound."""
    return await store.select_recycler(conn, recycler_id)


async def register_recycler(tx: Transaction, details: RecyclerDetails) -> Recycler:
    """Adds a recycler. Raises Malformed, or Conflict when there is one of that name."""
    return await _save(tx, None, Recycler(id=new_id(), version=1, **dict(details)), details)


async def change_recycler(
    tx: Transaction, recycler_id: str, expected_version: int, details: RecyclerDetails
) -> Recycler:
    """Replaces all about a recycler; what it has taken before keeps the certificate of its day.

    Raises NotFound, Stale, Malformed, Conflict.
    """
    old = await store.select_recycler(tx.conn, recycler_id)
    check_version(f"recycler {recycler_id}", old, expected_version)
    return await _save(tx, old, Recycler(id=old.id, version=old.version + 1, **dict(details)), details)


async def _save(tx: Transaction, old: Recycler | None, new: Recycler, details: RecyclerDetails) -> Recycler:
    check_details(details)
    await store.upsert_recycler(tx.conn, new)
    await keep(tx, "recycler", old, new)
    tx.record(full_state(new), subject=new.id, site_id=new.site_id)
    return new
