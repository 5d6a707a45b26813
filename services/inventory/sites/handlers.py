"""Commands on sites."""

from collections.abc import Collection

from services.inventory.groups.handlers import hold_group
from services.inventory.history.handlers import keep
from services.inventory.sites import store
from services.inventory.sites.domain import Place, Site, check_site, full_state
from shared.database import Connection
from shared.resource import check_version
from shared.transactions import Transaction


async def find_site(conn: Connection, site_id: str) -> Site:
    """The site. Raises NotFound."""
    return await store.select_site(conn, site_id)


async def zones_of(conn: Connection, site_ids: Collection[str]) -> dict[str, str]:
    """The time zones of those of these sites that there are."""
    return await store.select_zones(conn, site_ids)


async def register_site(tx: Transaction, site_id: str, name: str, time_zone: str, place: Place | None = None) -> Site:
    """Adds a site to the group. Raises Malformed, NotFound without its group, or Conflict when the id is taken."""
    site = Site(id=site_id, name=name, time_zone=time_zone, version=1, **(place or {}))
    await _check(tx, site)
    await store.insert_site(tx.conn, site)
    await _record(tx, None, site)
    return site


async def change_site(
    tx: Transaction, site_id: str, expected_version: int, name: str, time_zone: str, place: Place | None = None
) -> Site:
    """Replaces a site's name and zone, and of its place what is named. Raises NotFound, Stale, Malformed."""
    old = await store.select_site(tx.conn, site_id)
    check_version(f"site {site_id}", old, expected_version)
    changes = {"name": name, "time_zone": time_zone, "version": old.version + 1, **(place or {})}
    site = old.model_copy(update=changes)
    await _check(tx, site)
    await store.update_site(tx.conn, site, expected_version)
    await _record(tx, old, site)
    return site


async def _check(tx: Transaction, site: Site) -> None:
    check_site(site)
    if site.group_id is not None:
        await hold_group(tx, site.group_id)


async def _record(tx: Transaction, old: Site | None, site: Site) -> None:
    tx.record(full_state(site), subject=site.id, site_id=site.id)
    await keep(tx, "site", old, site)
