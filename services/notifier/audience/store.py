"""SQL of the audience."""

from collections.abc import Collection
from datetime import datetime

from services.notifier.audience.domain import BYSTANDERS, Audience, Recipient
from shared.database import Connection
from shared.events import GROUP
from shared.events.inventory import AssetChanged, PersonChanged, SiteChanged

RECIPIENT = """SELECT p.id AS person_id, p.name, p.email AS address, p.active AS is_active,
                      s.address IS NOT NULL AS is_suppressed
               FROM people p LEFT JOIN suppressed_addresses s ON s.address = p.email"""


async def upsert_site(conn: Connection, site_id: str, site: SiteChanged) -> None:
    """Keeps the site unless a newer version is kept."""
    await conn.execute(
        """INSERT INTO sites (id, name, time_zone, version) VALUES ($1, $2, $3, $4)
           ON CONFLICT (id) DO UPDATE SET name = $2, time_zone = $3, version = $4 WHERE sites.version < $4""",
        site_id,
        site.name,
        site.time_zone,
        site.version,
    )


async def upsert_person(conn: Connection, person_id: str, site_id: str, person: PersonChanged) -> bool:
    """Keeps the person unless this or a newer version is kept; returns whether it was news."""
    return bool(
        await conn.fetchval(
            """INSERT INTO people (id, site_id, name, email, roles, active, version)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (id) DO UPDATE
               SET site_id = $2, name = $3, email = $4, roles = $5, active = $6, version = $7
               WHERE people.version < $7 RETURNING true""",
            person_id,
            site_id,
            person.name,
            person.email,
            list(person.roles),
            person.active,
            person.version,
        )
    )


async def upsert_asset(conn: Connection, asset_id: str, asset: AssetChanged) -> None:
    """Keeps the asset's name unless a newer version is kept."""
    await conn.execute(
        """INSERT INTO assets (id, name, version) VALUES ($1, $2, $3)
           ON CONFLICT (id) DO UPDATE SET name = $2, version = $3 WHERE assets.version < $3""",
        asset_id,
        asset.name,
        asset.version,
    )


async def select_site(conn: Connection, site_id: str) -> tuple[str | None, str | None]:
    """The site's name and zone; None each where the site is unknown."""
    row = await conn.fetchrow("SELECT name, time_zone FROM sites WHERE id = $1", site_id)
    return (row["name"], row["time_zone"]) if row else (None, None)


async def select_asset_names(conn: Connection, asset_ids: Collection[str]) -> dict[str, str]:
    """The names of those assets that are known."""
    rows = await conn.fetch("SELECT id, name FROM assets WHERE id = ANY($1::text[])", list(asset_ids))
    return {row["id"]: row["name"] for row in rows}


async def select_audience_ids(conn: Connection, site_id: str, audience: Audience) -> list[str]:
    """The active people of the site, and those of the group; for the group itself, of every site."""
    rows = await conn.fetch(
        f"""SELECT id FROM people
            WHERE active AND ($1 = '{GROUP}' OR site_id IN ($1, '{GROUP}'))
              AND CASE $2 WHEN 'everyone' THEN NOT roles <@ $3::text[] ELSE 'admin' = ANY(roles) END
            ORDER BY id""",  # noqa: S608 -- GROUP is a constant of ours
        site_id,
        audience,
        BYSTANDERS,
    )
    return [row["id"] for row in rows]


async def select_audiences_with(conn: Connection, site_id: str, person_id: str) -> list[Audience]:
    """The audiences among the site's own people that the person is part of."""
    roles = await conn.fetchval(
        "SELECT roles FROM people WHERE id = $1 AND site_id = $2 AND active", person_id, site_id
    )
    if not set(roles or ()) - set(BYSTANDERS):
        return []
    return ["everyone", "admins"] if "admin" in roles else ["everyone"]


async def select_recipient(conn: Connection, person_id: str) -> Recipient | None:
    """The person as a reader of mail."""
    row = await conn.fetchrow(f"{RECIPIENT} WHERE p.id = $1", person_id)
    return Recipient(**dict(row)) if row else None


async def insert_suppression(conn: Connection, address: str, reason: str, now: datetime) -> None:
    """Remembers that the address is refused."""
    await conn.execute(
        "INSERT INTO suppressed_addresses VALUES ($1, $2, $3) ON CONFLICT (address) DO NOTHING", address, reason, now
    )


async def delete_suppression(conn: Connection, address: str) -> None:
    """Forgets that the address was refused."""
    await conn.execute("DELETE FROM suppressed_addresses WHERE address = $1", address)
