"""SQL of links."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from services.inventory.lifecycle.domain import FINAL
from services.inventory.links.domain import NEEDS, End, Link, Need
from shared.database import Connection, found
from shared.errors import Stale
from shared.events.inventory import LinkKind

_VISIBLE = "($1::text[] IS NULL OR (site_id = ANY($1) AND to_site_id = ANY($1)))"


@dataclass(frozen=True)
class Selection:
    """Which links a list shows. ``visible`` are the caller's sites; None stands for all."""

    visible: Collection[str] | None = None
    site_id: str | None = None
    kind: LinkKind | None = None
    asset_id: str | None = None

    @property
    def sites(self) -> list[str] | None:
        """The visible sites as the database takes them."""
        return None if self.visible is None else list(self.visible)


async def hold_ends(conn: Connection, asset_ids: Collection[str]) -> Mapping[str, End]:
    """Those of these assets that there are; none of them ends its life until the transaction ends."""
    rows = await conn.fetch(
        "SELECT id, site_id, kind, name, state FROM assets WHERE id = ANY($1) ORDER BY id FOR SHARE", list(asset_ids)
    )
    return {row["id"]: End(**dict(row)) for row in rows}


async def lock_sites(conn: Connection, site_ids: Collection[str]) -> None:
    """Lets nobody else add links at these sites until the transaction ends; what they have added by then is seen."""
    for site_id in sorted(site_ids):
        await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('inventory.links.' || $1, 0))", site_id)


async def insert_link(conn: Connection, link: Link) -> None:
    """Adds a link, at a site that is locked and where there is neither the same nor one in its ports."""
    values = link.model_dump(exclude={"cable"}) | {"cable": link.cable and link.cable.model_dump(mode="json")}
    columns = ("id", "site_id", "kind", "from_id", "to_id", "to_site_id", "cable", "services", "note", "version")
    await conn.execute(
        """INSERT INTO links (id, site_id, kind, from_id, to_id, to_site_id, cable, services, note, version)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
        *(values[column] for column in columns),
    )
    if link.plugs:
        await conn.executemany(
            "INSERT INTO plugs (link_id, asset_id, port) VALUES ($1, $2, $3)", [(link.id, *plug) for plug in link.plugs]
        )


async def delete_link(conn: Connection, link: Link) -> None:
    """Takes a link away. Raises Stale when somebody else did so first."""
    if await conn.execute("DELETE FROM links WHERE id = $1 AND version = $2", link.id, link.version) == "DELETE 0":
        raise Stale(f"link {link.id} was taken away by somebody else")


async def select_same(conn: Connection, link: Link) -> str | None:
    """The id of a link that says the same, if there is one."""
    cable = link.cable.model_dump(mode="json") if link.cable else None
    same: str | None = await conn.fetchval(
        """SELECT id FROM links WHERE from_id = $1 AND to_id = $2 AND kind = $3
           AND (kind <> 'connected_to' OR cable IS NOT DISTINCT FROM $4::jsonb) LIMIT 1""",
        link.from_id,
        link.to_id,
        link.kind,
        cable,
    )
    return same


async def select_taken_port(conn: Connection, link: Link) -> tuple[str, str] | None:
    """A port of the link, as the name of its asset and its own, that another cable is plugged into."""
    row = await conn.fetchrow(
        """SELECT a.name, p.port FROM plugs p JOIN assets a ON a.id = p.asset_id
           WHERE (p.asset_id, p.port) IN (SELECT * FROM unnest($1::text[], $2::text[])) LIMIT 1""",
        [asset_id for asset_id, _ in link.plugs],
        [port for _, port in link.plugs],
    )
    return (row["name"], row["port"]) if row else None


async def select_way_edges(conn: Connection, start: str, goal: str) -> list[tuple[str, str]]:
    """All that ``start`` needs, step by step, if ``goal`` is among it; else nothing."""
    rows = await conn.fetch(
        """WITH RECURSIVE reached(id) AS (
               SELECT $1::text UNION
               SELECT l.to_id FROM reached r JOIN links l ON l.from_id = r.id AND l.kind = ANY($3))
           SELECT l.from_id, l.to_id FROM reached r JOIN links l ON l.from_id = r.id AND l.kind = ANY($3)
           WHERE EXISTS (SELECT FROM reached WHERE id = $2)""",
        start,
        goal,
        list(NEEDS),
    )
    return [(row["from_id"], row["to_id"]) for row in rows]


async def select_names(conn: Connection, asset_ids: Collection[str]) -> Mapping[str, str]:
    """The names of assets by id."""
    rows = await conn.fetch("SELECT id, name FROM assets WHERE id = ANY($1)", list(asset_ids))
    return {row["id"]: row["name"] for row in rows}


async def select_link(conn: Connection, link_id: str) -> Link:
    """One link. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM links WHERE id = $1", link_id)
    return _link(found(row, f"link {link_id}"))


async def select_links(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[Link]:
    """Links of which both ends are visible, by id behind ``after``."""
    rows = await conn.fetch(
        f"""SELECT * FROM links
            WHERE {_VISIBLE} AND ($2::text IS NULL OR site_id = $2) AND ($3::text IS NULL OR kind = $3)
              AND ($4::text IS NULL OR from_id = $4 OR to_id = $4) AND ($5::text IS NULL OR id > $5)
            ORDER BY id LIMIT $6""",  # noqa: S608 -- our own text
        chosen.sites,
        chosen.site_id,
        chosen.kind,
        chosen.asset_id,
        after,
        limit,
    )
    return [_link(row) for row in rows]


async def select_needing(
    conn: Connection, needed: Collection[str], needs: Collection[Need], but: Collection[str], limit: int
) -> Sequence[asyncpg.Record]:
    """Live assets, by name and each once, that need one of ``needed`` by ``needs``, ``but`` for some."""
    return await conn.fetch(
        """SELECT * FROM (
               SELECT DISTINCT ON (a.id) a.id, a.site_id, a.kind, a.name, a.state, n.via
               FROM needs n JOIN assets a ON a.id = n.asset_id
               WHERE n.needed_id = ANY($1) AND n.via = ANY($2) AND a.id <> ALL($3) AND a.state <> ALL($4)
               ORDER BY a.id, n.via) needing
           ORDER BY name, id LIMIT $5""",
        list(needed),
        list(needs),
        list(but),
        list(FINAL),
        limit,
    )


def _link(row: asyncpg.Record) -> Link:
    return Link.model_validate(dict(row))
