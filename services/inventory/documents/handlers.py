"""Commands on documents, and what other capabilities ask of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import IO

from services.inventory.assets import handlers as assets
from services.inventory.documents import store
from services.inventory.documents.domain import (
    ChangeDocument,
    Content,
    Document,
    NewDocument,
    NewVersion,
    admit,
    check_assets,
    check_new_content,
    full_state,
    kept_state,
)
from services.inventory.documents.markup import NotTaken
from services.inventory.documents.sniffing import media_type_of
from services.inventory.documents.upload import Upload, validated
from services.inventory.history.handlers import keep
from shared.database import Connection, Pool
from shared.errors import Malformed
from shared.events.documents import DocumentKind
from shared.grants import Caller, Role
from shared.resource import check_version
from shared.transactions import Transaction, new_id

UNCHECKED = "application/octet-stream"
Inspect = Callable[[IO[bytes], str], None]
"""Reads the file of a kind that machines read, of some media type; raises NotTaken for what is no such thing."""


async def find_document(conn: Connection, document_id: str) -> Document:
    """The document as it stands, with all its assets. Raises NotFound."""
    return await store.select_document(conn, document_id)


async def find_admitted(
    conn: Connection, caller: Caller, role: Role, document_id: str, number: int | None = None
) -> Document:
    """The document or one of its versions, for a caller who has ``role`` where it belongs, with what he may see of its
    assets. Raises NotFound, Forbidden."""
    document = await store.select_document(conn, document_id, number, caller.sites("viewer"))
    what = f"document {document_id}" if number is None else f"version {number} of document {document_id}"
    admit(caller, role, document.site_id, what)
    return document


async def documents_of(conn: Connection, asset_id: str, kind: DocumentKind | None = None) -> list[Document]:
    """The documents that belong to an asset, of one kind or of all, the newest last."""
    return await store.select_of_asset(conn, asset_id, kind)


async def read_content(conn: Connection, sha256: str) -> bytes:
    """A content as a whole, for what must have it so; ``stream_content`` holds a piece at a time. Raises NotFound."""
    await store.check_content(conn, sha256)
    pieces: list[bytes] = []
    while (piece := await store.select_piece(conn, sha256, len(pieces))) is not None:
        pieces.append(piece)
    return b"".join(pieces)


async def stream_content(pool: Pool, sha256: str) -> AsyncIterator[bytes]:
    """A content piece by piece; no connection is held while who reads is slow."""
    number = 0
    while True:
        async with pool.acquire() as conn:
            piece = await store.select_piece(conn, sha256, number)
        if piece is None:
            return
        yield piece
        number += 1


async def inspect_upload(upload: Upload, inspect: Inspect | None) -> Content:
    """What was uploaded, once its name and bytes are known to be what is taken. Raises Malformed.

    ``inspect`` looks into what it is, where its kind has a form of its own.
    """
    given = {"name": upload.name, "media_type": UNCHECKED, "size": upload.size, "sha256": upload.sha256}
    content = validated(Content, given)
    return await asyncio.to_thread(_inspect, upload, content, inspect)


def _inspect(upload: Upload, content: Content, inspect: Inspect | None) -> Content:
    media_type = media_type_of(upload.file, upload.size, content.name)
    if inspect is not None:
        try:
            inspect(upload.file, media_type)
        except NotTaken as exc:
            raise Malformed("file", str(exc), "the file as its vendor has given it out") from exc
    return content.model_copy(update={"media_type": media_type})


async def check_place(conn: Connection, site_id: str, asset_ids: Sequence[str]) -> None:
    """Raises NotFound for assets that no document of the site could ever belong to."""
    check_assets(site_id, [await assets.find_asset(conn, asset_id) for asset_id in asset_ids], before=asset_ids)


async def register_document(tx: Transaction, wanted: NewDocument, content: Content, file: IO[bytes]) -> Document:
    """Adds a document with its first version. Raises NotFound for a site or an asset that is not there, Conflict."""
    document = Document(
        **wanted.model_dump(), **content.model_dump(), id=new_id(), version=1, made_at=tx.now, made_by=tx.actor
    )
    where = await _place(tx, document, ())
    await store.insert_content(tx.conn, content, _pieces(file), tx.now)
    await store.insert_document(tx.conn, document, where)
    await _record(tx, None, document)
    return document


async def add_version(
    tx: Transaction, document_id: str, expected_version: int, told: NewVersion, content: Content, file: IO[bytes]
) -> Document:
    """Adds a version with a file of its own; those before stay. Raises NotFound, Stale, Conflict."""
    old = await store.select_document(tx.conn, document_id)
    check_version(f"document {document_id}", old, expected_version)
    check_new_content(old, content)
    await store.insert_content(tx.conn, content, _pieces(file), tx.now)
    return await _change(tx, old, told.model_dump(exclude_none=True) | content.model_dump())


async def change_document(tx: Transaction, document_id: str, expected_version: int, wanted: ChangeDocument) -> Document:
    """Adds a version with the same file. Raises NotFound, Stale, Conflict."""
    old = await store.select_document(tx.conn, document_id)
    check_version(f"document {document_id}", old, expected_version)
    return await _change(tx, old, wanted.model_dump())


async def _change(tx: Transaction, old: Document, changes: Mapping[str, object]) -> Document:
    made = {"version": old.version + 1, "made_at": tx.now, "made_by": tx.actor}
    document = old.model_copy(update={**changes, **made})
    where = await _place(tx, document, old.asset_ids)
    await store.update_document(tx.conn, document, where, old.version)
    await _record(tx, old, document)
    return document


async def _place(tx: Transaction, document: Document, before: Sequence[str]) -> Mapping[str, str]:
    found = [await assets.find_asset(tx.conn, asset_id) for asset_id in document.asset_ids]
    return check_assets(document.site_id, found, before)


async def _record(tx: Transaction, old: Document | None, new: Document) -> None:
    await keep(tx, "document", old and kept_state(old), kept_state(new))
    tx.record(full_state(new), subject=new.id, site_id=new.site_id)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    file.seek(0)
    while piece := file.read(store.PIECE_BYTES):
        yield piece
