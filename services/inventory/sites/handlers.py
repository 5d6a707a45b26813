"""Commands on sites."""

from services.inventory.sites import store
from services.inventory.sites.domain import Site, check_site
from shared.events.inventory import SiteChanged
from shared.resource import check_version
from shared.transactions import Transaction


async def register_site(tx: Transaction, site_id: str, name: str, time_zone: str) -> Site:
    """Adds a site to the group. Raises Malformed, or Conflict when the id is taken."""
    check_site(site_id, time_zone)
    site = Site(id=site_id, name=name, time_zone=time_zone, version=1)
    await store.insert_site(tx.conn, site)
    _record(tx, site)
    return site


async def change_site(tx: Transaction, site_id: str, expected_version: int, name: str, time_zone: str) -> Site:
    """Replaces a site's name and zone. Raises NotFound, Stale, Malformed."""
    check_site(site_id, time_zone)
    old = await store.select_site(tx.conn, site_id)
    check_version(f"site {site_id}", old, expected_version)
    site = Site(id=site_id, name=name, time_zone=time_zone, version=old.version + 1)
    await store.update_site(tx.conn, site, expected_version)
    _record(tx, site)
    return site


def _record(tx: Transaction, site: Site) -> None:
    changed = SiteChanged(name=site.name, time_zone=site.time_zone, version=site.version)
    tx.record(changed, subject=site.id, site_id=site.id)
