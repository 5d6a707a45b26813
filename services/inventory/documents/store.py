"""SQL of documents and of what is in them."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from services.inventory.documents.domain import Content, Document
from shared.database import Connection, found
from shared.errors import NotFound, Stale
from shared.events import GROUP

PIECE_BYTES = 256 * 1024
"""Seen for 25 MiB: pieces of 64 KiB to 4 MiB are written in 0.1 s and read in 0.03 s, these with 3 MiB of memory.
In one row it takes 0.18 s and 80 MiB."""

SHOWN = """SELECT d.id, d.site_id, d.kind, v.version, v.title, v.asset_ids, v.asset_sites, v.change_id, v.valid_until,
                  v.name, v.media_type, v.size, v.sha256, v.made_at, v.made_by
           FROM documents d JOIN document_versions v ON v.document_id = d.id"""


OF_VISIBLE_ASSET = "v.asset_sites[array_position(v.asset_ids, ({}::text[])[1])] = ANY(({}::text[])[2:])"
"""The asset that is asked for, and behind it the sites at one of which it must be."""


@dataclass(frozen=True)
class Selection:
    """Which documents a list shows. ``visible`` are the caller's sites, None all; the whole group's are everybody's."""

    visible: Collection[str] | None = None
    site_id: str | None = None
    kind: str | None = None
    asset_id: str | None = None
    change_id: str | None = None
    ends_before: date | None = None


async def insert_content(conn: Connection, content: Content, pieces: AsyncIterator[bytes], now: datetime) -> bool:
    """Keeps a file's bytes; False, and ``pieces`` are not asked for, when they are kept already.

    Of two transactions that bring the same, the second waits for the end of the first.
    """
    is_new = await conn.fetchval(
        "INSERT INTO contents (sha256, size, stored_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true",
        content.sha256,
        content.size,
        now,
    )
    if is_new:
        rows = _numbered(content.sha256, pieces)
        await conn.copy_records_to_table("content_pieces", records=rows, columns=("sha256", "number", "bytes"))
    return bool(is_new)


async def _numbered(sha256: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, int, bytes]]:
    number = 0
    async for piece in pieces:
        yield sha256, number, piece
        number += 1


async def select_piece(conn: Connection, sha256: str, number: int) -> bytes | None:
    """One piece of a content; None behind the last. A content that is kept never changes."""
    piece: bytes | None = await conn.fetchval(
        "SELECT bytes FROM content_pieces WHERE sha256 = $1 AND number = $2", sha256, number
    )
    return piece


async def insert_document(conn: Connection, document: Document, sites: Mapping[str, str]) -> None:
    """Adds a document with its first version; ``sites`` says where its assets are. Raises NotFound without its site."""
    try:
        await conn.execute(
            "INSERT INTO documents (id, site_id, kind, version) VALUES ($1, $2, $3, $4)",
            document.id,
            document.site_id,
            document.kind,
            document.version,
        )
    except asyncpg.ForeignKeyViolationError as exc:
        raise NotFound(f"no site {document.site_id}") from exc
    await _insert_version(conn, document, sites)


async def update_document(
    conn: Connection, document: Document, sites: Mapping[str, str], expected_version: int
) -> None:
    """Adds a version, which is the document from now on. Raises Stale unless ``expected_version`` is the stored one."""
    changed = await conn.fetchval(
        "UPDATE documents SET version = $2 WHERE id = $1 AND version = $3 RETURNING true",
        document.id,
        document.version,
        expected_version,
    )
    if not changed:
        raise Stale(f"document {document.id} was changed by somebody else; get it again")
    await conn.execute("DELETE FROM document_assets WHERE document_id = $1", document.id)
    await _insert_version(conn, document, sites)


async def _insert_version(conn: Connection, document: Document, sites: Mapping[str, str]) -> None:
    await conn.execute(
        """INSERT INTO document_versions (document_id, version, title, asset_ids, asset_sites, change_id, valid_until,
                                          name, media_type, size, sha256, made_at, made_by)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)""",
        document.id,
        document.version,
        document.title,
        document.asset_ids,
        [sites[asset_id] for asset_id in document.asset_ids],
        document.change_id,
        document.valid_until,
        document.name,
        document.media_type,
        document.size,
        document.sha256,
        document.made_at,
        document.made_by,
    )
    await conn.execute(
        "INSERT INTO document_assets (asset_id, document_id) SELECT unnest($1::text[]), $2",
        document.asset_ids,
        document.id,
    )


async def select_document(
    conn: Connection, document_id: str, version: int | None = None, visible: Collection[str] | None = None
) -> Document:
    """A document, or one of its versions, with those of its assets that are at ``visible`` sites. Raises NotFound."""
    row = await conn.fetchrow(f"{SHOWN} AND v.version = coalesce($2, d.version) WHERE d.id = $1", document_id, version)
    what = f"document {document_id}" if version is None else f"version {version} of document {document_id}"
    return _document(found(row, what), visible)


async def select_documents(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[Document]:
    """The newest versions, by the documents' ids behind ``after``."""
    conditions = {
        "d.site_id = ANY({}::text[])": None if chosen.visible is None else [*chosen.visible, GROUP],
        "d.site_id = {}": chosen.site_id,
        "d.kind = {}": chosen.kind,
        "v.change_id = {}": chosen.change_id,
        "v.valid_until < {}": chosen.ends_before,
        "d.id IN (SELECT document_id FROM document_assets WHERE asset_id = {})": chosen.asset_id,
        "d.id > {}": after,
    }
    if chosen.asset_id is not None and chosen.visible is not None:
        conditions[OF_VISIBLE_ASSET] = [chosen.asset_id, *chosen.visible]
    # Only what is asked for is in the query: PostgreSQL plans for "no filter or this one" as if there were none.
    given = {condition: value for condition, value in conditions.items() if value is not None}
    where = [condition.replace("{}", f"${place}") for place, condition in enumerate(given, start=2)]
    rows = await conn.fetch(
        f"""{SHOWN} AND v.version = d.version WHERE {" AND ".join(["true", *where])} ORDER BY d.id LIMIT $1""",
        limit,
        *given.values(),
    )
    return [_document(row, chosen.visible) for row in rows]


async def select_versions(
    conn: Connection, document_id: str, visible: Collection[str] | None, after: int, limit: int
) -> list[Document]:
    """The versions of a document behind the one of number ``after``, in their order."""
    rows = await conn.fetch(
        f"{SHOWN} WHERE d.id = $1 AND v.version > $2 ORDER BY v.version LIMIT $3", document_id, after, limit
    )
    return [_document(row, visible) for row in rows]


async def select_of_asset(conn: Connection, asset_id: str, kind: str | None) -> list[Document]:
    """The documents that belong to an asset, the newest last."""
    rows = await conn.fetch(
        f"""{SHOWN} AND v.version = d.version JOIN document_assets a ON a.document_id = d.id
            WHERE a.asset_id = $1 AND ($2::text IS NULL OR d.kind = $2) ORDER BY d.id""",
        asset_id,
        kind,
    )
    return [_document(row, None) for row in rows]


async def check_content(conn: Connection, sha256: str) -> None:
    """Raises NotFound unless the content is kept."""
    if not await conn.fetchval("SELECT true FROM contents WHERE sha256 = $1", sha256):
        raise NotFound(f"no content {sha256}")


def _document(row: asyncpg.Record, visible: Collection[str] | None) -> Document:
    placed = zip(row["asset_ids"], row["asset_sites"], strict=True)
    shown = [asset_id for asset_id, site_id in placed if visible is None or site_id in visible]
    return Document.model_validate(dict(row) | {"asset_ids": shown})
