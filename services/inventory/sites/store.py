"""SQL of sites."""

from collections.abc import Collection

from services.inventory.sites.domain import Site
from shared.database import Connection, found
from shared.errors import Conflict, Stale


async def insert_site(conn: Connection, site: Site) -> None:
    """Adds a site. Raises Conflict when its id is taken."""
    added = await conn.fetchval(
        """INSERT INTO sites (id, name, time_zone, version) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING RETURNING true""",
        site.id,
        site.name,
        site.time_zone,
        site.version,
    )
    if not added:
        raise Conflict(f"site {site.id} exists already")


async def update_site(conn: Connection, site: Site, expected_version: int) -> None:
    """Replaces a site's fields. Raises Stale unless ``expected_version`` is the stored one."""
    changed = await conn.fetchval(
        "UPDATE sites SET name = $2, time_zone = $3, version = $4 WHERE id = $1 AND version = $5 RETURNING true",
        site.id,
        site.name,
        site.time_zone,
        site.version,
        expected_version,
    )
    if not changed:
        raise Stale(f"site {site.id} was changed by somebody else; get it again")


async def select_site(conn: Connection, site_id: str) -> Site:
    """One site. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM sites WHERE id = $1", site_id)
    return Site.model_validate(dict(found(row, f"site {site_id}")))


async def select_sites(conn: Connection, visible: Collection[str] | None, after: str | None, limit: int) -> list[Site]:
    """Sites by id behind ``after``; ``visible`` None stands for all."""
    rows = await conn.fetch(
        """SELECT * FROM sites WHERE ($1::text[] IS NULL OR id = ANY($1)) AND ($2::text IS NULL OR id > $2)
           ORDER BY id LIMIT $3""",
        None if visible is None else list(visible),
        after,
        limit,
    )
    return [Site.model_validate(dict(row)) for row in rows]
