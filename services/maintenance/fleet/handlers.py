"""Takes over what inventory tells, and tells the other capabilities what is known."""

from collections.abc import Sequence

from services.maintenance.fleet import store
from services.maintenance.fleet.domain import Site, System, after_patch, after_report
from shared.database import Connection
from shared.errors import NotFound
from shared.events import Event
from shared.events.inventory import AssetChanged, SiteChanged
from shared.transactions import Transaction


async def keep_site(tx: Transaction, event: Event[SiteChanged]) -> None:
    """Keeps the newest state of a site."""
    site = Site(id=event.subject, time_zone=event.data.time_zone, version=event.data.version)
    await store.upsert_site(tx.conn, site)


async def keep_system(tx: Transaction, event: Event[AssetChanged]) -> None:
    """Keeps the newest state of a system; nodes do not matter here."""
    if event.data.kind != "system":
        return
    report = System(
        id=event.subject,
        site_id=event.site_id,
        name=event.data.name,
        state=event.data.state,
        version=event.data.version,
        reported_version=event.data.software and event.data.software.version,
    )
    known = await store.lock_system(tx.conn, report.id)
    await store.upsert_system(tx.conn, after_report(known, report))


async def lock_site(tx: Transaction, site_id: str) -> Site:
    """The site, for this transaction alone until it ends. Raises NotFound."""
    site = await store.lock_site(tx.conn, site_id)
    if site is None:
        raise NotFound(f"no site {site_id}")
    return site


async def lock_system(tx: Transaction, system_id: str) -> System:
    """The system, for this transaction alone until it ends. Raises NotFound."""
    system = await store.lock_system(tx.conn, system_id)
    if system is None:
        raise NotFound(f"no system {system_id}")
    return system


async def find_system(conn: Connection, system_id: str) -> System:
    """The system. Raises NotFound."""
    known = await find_systems(conn, [system_id])
    if not known:
        raise NotFound(f"no system {system_id}")
    return known[0]


async def find_systems(conn: Connection, system_ids: Sequence[str]) -> list[System]:
    """Those of the systems that are known."""
    return await store.select_systems(conn, system_ids)


async def note_patch(tx: Transaction, system: System, to_version: str) -> None:
    """Knows from now on that the system, which the caller has locked, runs ``to_version``."""
    await store.upsert_system(tx.conn, after_patch(system, to_version))
