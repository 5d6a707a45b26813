"""SQL of the kept sites and systems."""

from collections.abc import Sequence

from services.maintenance.fleet.domain import Site, System
from shared.database import Connection


async def upsert_site(conn: Connection, site: Site) -> None:
    """Keeps a site unless a version as new is kept already."""
    await conn.execute(
        """INSERT INTO sites (id, time_zone, version) VALUES ($1, $2, $3)
           ON CONFLICT (id) DO UPDATE SET time_zone = excluded.time_zone, version = excluded.version
           WHERE sites.version < excluded.version""",
        site.id,
        site.time_zone,
        site.version,
    )


async def lock_site(conn: Connection, site_id: str) -> Site | None:
    """One site, held against others until the transaction ends."""
    row = await conn.fetchrow("SELECT * FROM sites WHERE id = $1 FOR UPDATE", site_id)
    return None if row is None else Site.model_validate(dict(row))


async def upsert_system(conn: Connection, system: System) -> None:
    """Keeps a system as given, unless a newer version has been kept meanwhile."""
    await conn.execute(
        """INSERT INTO systems (id, site_id, name, state, version, reported_version, unconfirmed)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (id) DO UPDATE SET site_id = excluded.site_id, name = excluded.name, state = excluded.state,
               version = excluded.version, reported_version = excluded.reported_version,
               unconfirmed = excluded.unconfirmed
           WHERE systems.version <= excluded.version""",
        system.id,
        system.site_id,
        system.name,
        system.state,
        system.version,
        system.reported_version,
        list(system.unconfirmed),
    )


async def lock_system(conn: Connection, system_id: str) -> System | None:
    """One system, held against others until the transaction ends."""
    row = await conn.fetchrow("SELECT * FROM systems WHERE id = $1 FOR UPDATE", system_id)
    return None if row is None else System.model_validate(dict(row))


async def select_systems(conn: Connection, system_ids: Sequence[str]) -> list[System]:
    """Those of the systems that are known."""
    rows = await conn.fetch("SELECT * FROM systems WHERE id = ANY($1)", list(system_ids))
    return [System.model_validate(dict(row)) for row in rows]
