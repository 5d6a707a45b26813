"""Commands on usage."""

from collections.abc import Mapping
from datetime import datetime

from services.inventory.usage import store
from services.inventory.usage.domain import COUNTERS, Usage, check_reading
from shared.database import Connection
from shared.errors import Conflict
from shared.events.inventory import UsageRecorded
from shared.transactions import Transaction


async def record_usage(
    tx: Transaction, asset_id: str, site_id: str, counter: str, value: float, at: datetime | None
) -> Usage:
    """Keeps what somebody has read. Raises Malformed, or Conflict when a reading is kept that is as new."""
    at = tx.now if at is None else at
    check_reading(counter, at, tx.now)
    if not await store.upsert_usage(tx.conn, asset_id, site_id, {counter: value}, at, tx.actor):
        raise Conflict(f"{counter} was read at that time or later already")
    tx.record(UsageRecorded(counter=counter, value=value, at=at), subject=asset_id, site_id=site_id)
    return Usage(asset_id=asset_id, counter=counter, unit=COUNTERS[counter], value=value, at=at, told_by=tx.actor)


async def take_usage(tx: Transaction, asset_id: str, site_id: str, counters: Mapping[str, float], at: datetime) -> None:
    """Keeps what a probe has read of an asset of that site, unless it was read later."""
    await store.upsert_usage(tx.conn, asset_id, site_id, counters, at, tx.actor)


async def usage_of(conn: Connection, asset_id: str) -> list[Usage]:
    """The counters of an asset."""
    return await store.select_usage(conn, asset_id)
