"""SQL of exports: each thing as one row, by the names of its columns."""

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

import asyncpg

from shared.database import Connection

_SUPPORT = """support ->> 'state' AS support, (support ->> 'on')::date AS support_ends_on,
              support ->> 'source' AS support_source, (support ->> 'stated_on')::date AS support_stated_on"""
_SEEN = "($1::text[] IS NULL OR {} = ANY($1))"
_WITH_GROUP = "($1::text[] IS NULL OR {0} = ANY($1) OR {0} = 'group')"
_ALL = "($1::text[] IS NULL OR true)"

SOURCES: Mapping[str, tuple[str, str]] = {
    "groups": ("SELECT id, version AS _version, name, parent_id AS parent FROM site_groups", _ALL),
    "sites": (
        'SELECT *, version AS _version, id AS _site, group_id AS "group" FROM sites',
        _SEEN.format("_site"),
    ),
    "vendors": ("SELECT *, version AS _version FROM vendors", _ALL),
    "products": (
        f"""SELECT id, version AS _version, vendor_id AS vendor, name, type, aliases, cpe, purl, {_SUPPORT}
            FROM products""",  # noqa: S608 -- our own text
        _ALL,
    ),
    "product_versions": (
        f"""SELECT id, version AS _version, NULL AS vendor, product_id AS product, number, released_on, {_SUPPORT}
            FROM product_versions""",  # noqa: S608 -- our own text
        _ALL,
    ),
    "systems": (
        """SELECT id, version AS _version, site_id AS site, name, vendor, product, software_version AS version,
                  environment, deployment, mirrors, state FROM assets WHERE kind = 'system'""",
        _SEEN.format("site"),
    ),
    "nodes": (
        """SELECT id, version AS _version, site_id AS site, system_id AS system, name, ae_title, host, port, role,
                  cluster, cluster_role, state FROM assets WHERE kind = 'node'""",
        _SEEN.format("site"),
    ),
    "components": (
        """SELECT c.*, a.id, a.version AS _version, c.site_id AS site, a.name, a.system_id AS system, a.host,
                  c.product_id AS product
           FROM components c JOIN assets a ON a.id = c.asset_id""",
        _SEEN.format("site"),
    ),
    "links": (
        """SELECT id, version AS _version, site_id AS site, kind, from_id AS "from", to_id AS "to",
                  to_site_id AS to_site, cable ->> 'from_port' AS from_port, cable ->> 'to_port' AS to_port,
                  cable ->> 'label' AS cable_label, (cable ->> 'length_m')::float8 AS cable_length_m, services, note
           FROM links""",
        f"{_SEEN.format('site')} AND {_SEEN.format('to_site')}",
    ),
    "contracts": (
        """SELECT c.id, c.version AS _version, c.site_id AS site, kind, vendor_id AS vendor, number, starts, ends,
                  review_on, notice_days, contact, escalation, document_id AS document, renewed_by, let_lapse,
                  ARRAY(SELECT o.asset_id FROM contract_assets o JOIN assets a ON a.id = o.asset_id
                        WHERE o.contract_id = c.id AND ($1::text[] IS NULL OR a.site_id = ANY($1))
                        ORDER BY o.asset_id) AS assets
           FROM contracts c""",
        _WITH_GROUP.format("site"),
    ),
    "people": (
        """SELECT id, version AS _version, site_id AS site, name, email, roles, active, phone, login,
                  employer_id AS employer, competences FROM people""",
        _SEEN.format("site"),
    ),
    "usage": (
        """SELECT u.asset_id || '/' || u.counter AS id, 1 AS _version, a.site_id AS site, u.asset_id AS asset,
                  u.counter, u.value, u.at
           FROM usage u JOIN assets a ON a.id = u.asset_id""",
        _SEEN.format("site"),
    ),
    "fields": ("SELECT *, version AS _version FROM component_fields", _ALL),
    "documents": (
        """SELECT d.id, d.site_id AS site, d.kind, v.title, v.version, v.change_id AS change, v.valid_until, v.name,
                  v.media_type, v.size, v.sha256, v.made_at, v.made_by,
                  ARRAY(SELECT x.id FROM unnest(v.asset_ids, v.asset_sites) AS x (id, site)
                        WHERE $1::text[] IS NULL OR x.site = ANY($1)) AS assets
           FROM documents d JOIN document_versions v ON v.document_id = d.id AND v.version = d.version""",
        _WITH_GROUP.format("site"),
    ),
    "recyclers": ("SELECT * FROM recyclers", _ALL),
    "approved_software": ("SELECT *, site_id AS site FROM approved_software", _WITH_GROUP.format("site")),
    "end_rules": ("SELECT *, type AS id FROM end_rules", _ALL),
    "replacement_orders": (
        "SELECT *, site_id AS site, asset_id AS asset FROM replacement_orders",
        _SEEN.format("site"),
    ),
    "transitions": (
        """SELECT t.*, t.asset_id AS asset, a.site_id AS site FROM transitions t JOIN assets a ON a.id = t.asset_id""",
        _SEEN.format("site"),
    ),
    "evidence": ("SELECT *, site_id AS site, asset_id AS asset FROM evidence", _SEEN.format("site")),
    "waivers": ("SELECT *, site_id AS site, asset_id AS asset FROM waivers", _SEEN.format("site")),
    "custody": (
        "SELECT *, site_id AS site, asset_id AS asset, recycler_id AS recycler FROM custody",
        _SEEN.format("site"),
    ),
    "disposals": (
        """SELECT l.*, l.asset_id AS id, l.asset_id AS asset, d.site_id AS site, d.recycler, d.reference, d.recorded_by,
                  d.recorded_at
           FROM disposal_lines l JOIN disposals d ON d.id = l.disposal_id""",
        _SEEN.format("site"),
    ),
}
"""Of each kind, its rows, and which of them are seen by who sees the sites ``$1`` (null: all)."""


_NESTED: Mapping[str, tuple[str, str, str]] = {
    "groups": ("site_groups", "id", "parent_id"),
    "systems": ("assets", "id", "mirrors"),
    "components": ("components", "asset_id", "installed_in"),
    "contracts": ("contracts", "id", "renewed_by"),
}
"""Of kinds whose things refer to others of their kind: the table, its id, and the column that refers."""


def _in_order(kind: str) -> str:
    if kind not in _NESTED:
        return "ORDER BY id"
    table, key, referring = _NESTED[kind]
    return f"""LEFT JOIN (
            WITH RECURSIVE line (id, depth) AS (
                SELECT {key}, 0 FROM {table} WHERE {referring} IS NULL
                UNION ALL SELECT t.{key}, line.depth + 1 FROM {table} t JOIN line ON t.{referring} = line.id)
            SELECT * FROM line) AS line USING (id) ORDER BY depth, id"""  # noqa: S608 -- our own names


async def select_rows(
    conn: Connection, kind: str, visible: Collection[str] | None, batch: int
) -> AsyncIterator[asyncpg.Record]:
    """All rows of a kind, each behind those that it refers to, some at a time; the transaction must last as long."""
    source, seen = SOURCES[kind]
    own = f"SELECT * FROM ({source}) AS thing WHERE {seen}"  # noqa: S608 -- our own text
    query = f"SELECT * FROM ({own}) AS thing {_in_order(kind)}"  # noqa: S608 -- our own text
    async for row in conn.cursor(query, None if visible is None else list(visible), prefetch=batch):
        yield row


async def select_things(conn: Connection, kind: str, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Those of these things that there are, whole, by id."""
    source, _ = SOURCES[kind]
    # The condition stands inside, where it finds the index; the first argument is the sites that are seen.
    rows = await conn.fetch(
        f"SELECT * FROM ({source}) AS thing WHERE id = ANY($2) AND {_ALL}",  # noqa: S608 -- our own text
        None,
        list(ids),
    )
    return {row["id"]: dict(row) for row in rows}


async def select_field_names(conn: Connection) -> list[str]:
    """The names of all custom fields."""
    rows = await conn.fetch("SELECT DISTINCT name FROM component_fields ORDER BY name")
    return [row["name"] for row in rows]
