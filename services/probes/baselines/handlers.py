"""What is learned, and what results are compared with."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from services.probes.baselines import store
from services.probes.baselines.domain import Baseline, Key, Samples, slot_of, slots_around
from services.probes.baselines.records import Learned
from shared.database import Connection
from shared.errors import Malformed
from shared.events import Event
from shared.events.inventory import SiteChanged
from shared.events.probes import BaselineForgotten
from shared.resource import check_version
from shared.transactions import Transaction


async def keep_site(tx: Transaction, event: Event[SiteChanged]) -> None:
    """Takes over in which time zone a site's hours of the week are."""
    await store.upsert_zone(tx.conn, event.subject, event.data)


async def find_zones(conn: Connection, sites: Collection[str]) -> dict[str, str]:
    """The time zones of those sites that are known."""
    return await store.select_zones(conn, sites)


async def find_baselines(
    conn: Connection, readings: Sequence[tuple[Key, datetime, str | None]]
) -> Mapping[Key, Baseline]:
    """What is known of measures at these instants, each in a time zone."""
    slots: dict[Key, set[int]] = {}
    for key, at, time_zone in readings:
        slots.setdefault(key, set()).update(slots_around(slot_of(at, time_zone)))
    return await store.select_baselines(conn, slots)


async def keep_learned(tx: Transaction, learned: Mapping[Key, Mapping[int, Samples]]) -> None:
    """Keeps what slots have learned."""
    await store.upsert_baselines(tx.conn, learned)


async def forget_baseline(tx: Transaction, key: Key, expected_version: int) -> Learned:
    """Forgets what is usual for a measure, which is learned anew, and returns what was known.

    Raises NotFound, Stale, and Malformed where nobody says why.
    """
    # Whoever judges a result holds this lock, and would write back what it had read.
    await store.lock_probe(tx.conn, key[0])
    learned = await store.select_learned_of(tx.conn, key)
    check_version(f"baseline {learned.id}", learned, expected_version)
    if tx.reason is None:
        raise Malformed("Change-Reason", "must be a header that says why", "The archive has moved to slower disks.")
    await store.delete_baseline(tx.conn, key)
    told = {name: getattr(learned, name) for name in BaselineForgotten.model_fields if name != "reason"}
    tx.record(BaselineForgotten(**told, reason=tx.reason), subject=learned.subject, site_id=learned.site_id)
    return learned


async def forget_probe(tx: Transaction, probe_id: str) -> None:
    """Forgets what was usual for a probe that is made no longer."""
    await store.delete_baselines(tx.conn, probe_id)
