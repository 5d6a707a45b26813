"""SQL of sites."""

from collections.abc import Collection

from services.inventory.sites.domain import Site
from shared.database import Connection, found
from shared.errors import Conflict, Stale


async def insert_site(conn: Connection, site: Site) -> None:
    """Adds a site. Raises Conflict when its id is taken."""
    added = await conn.fetchval(
        """INSERT INTO sites (id, version, name, time_zone, latitude, longitude, gateway, group_id, address)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING true""",
        *_values(site),
    )
    if not added:
        raise Conflict(f"site {site.id} exists already")


async def update_site(conn: Connection, site: Site, expected_version: int) -> None:
    """Replaces a site's fields. Raises Stale unless ``expected_version`` is the stored one."""
    changed = await conn.fetchval(
        """UPDATE sites SET version = $2, name = $3, time_zone = $4, latitude = $5, longitude = $6, gateway = $7,
                            group_id = $8, address = $9
           WHERE id = $1 AND version = $10 RETURNING true""",
        *_values(site),
        expected_version,
    )
    if not changed:
        raise Stale(f"site {site.id} was changed by somebody else; get it again")


async def select_site(conn: Connection, site_id: str) -> Site:
    """One site. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM sites WHERE id = $1", site_id)
    return Site.model_validate(dict(found(row, f"site {site_id}")))


async def select_sites(
    conn: Connection,
    visible: Collection[str] | None,
    chosen: Collection[str] | None,
    after: str | None,
    limit: int,
) -> list[Site]:
    """Sites by id behind ``after``; ``visible`` None stands for all, ``chosen`` None for any."""
    rows = await conn.fetch(
        """SELECT * FROM sites
           WHERE ($1::text[] IS NULL OR id = ANY($1)) AND ($2::text[] IS NULL OR id = ANY($2))
             AND ($3::text IS NULL OR id > $3)
           ORDER BY id LIMIT $4""",
        None if visible is None else list(visible),
        None if chosen is None else list(chosen),
        after,
        limit,
    )
    return [Site.model_validate(dict(row)) for row in rows]


async def select_zones(conn: Connection, site_ids: Collection[str]) -> dict[str, str]:
    """The time zones of sites by id."""
    rows = await conn.fetch("SELECT id, time_zone FROM sites WHERE id = ANY($1)", list(site_ids))
    return {row["id"]: row["time_zone"] for row in rows}


def _values(site: Site) -> tuple[object, ...]:
    place = (site.latitude, site.longitude, site.gateway, site.group_id, site.address)
    return (site.id, site.version, site.name, site.time_zone, *place)
