"""The log over HTTP: its head and roots for everyone who audits, all sites' entries for group-wide auditors."""

from base64 import b64encode
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.compliance.log import store
from services.compliance.log.bundle import CHUNK
from services.compliance.log.domain import Indexed, Root, Stored
from shared.errors import Malformed
from shared.events import GROUP, Instant
from shared.http import Call, Page, Paging, requires

router = APIRouter(prefix="/log", tags=["log"])

MAX_INDEX = 2**63 - 1
ENTRIES = 8 * CHUNK

Base64 = Annotated[str, Field(examples=["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="])]


class LogHead(BaseModel):
    """How far the log has come; ``root`` is the RFC 6962 root over its ``size`` entries."""

    size: int
    root: Base64
    recorded_at: Instant | None


class RecordedRoot(BaseModel):
    """The root when the log had grown from ``previous_size`` to ``size``."""

    size: int
    previous_size: int
    root: Base64
    recorded_at: Instant

    @classmethod
    def of(cls, root: Root) -> Self:
        """Shows a root."""
        return cls(
            size=root.size, previous_size=root.previous_size, root=encode(root.root), recorded_at=root.recorded_at
        )


class LogEntry(BaseModel):
    """All that is stored under an index. ``entry`` holds the exact bytes; a part that is null is missing or damaged."""

    index: int
    entry: Base64 | None
    leaf_hash: Base64 | None
    indexed: Indexed | None

    @classmethod
    def of(cls, stored: Stored) -> Self:
        """Shows what is stored."""
        return cls(
            index=stored.index,
            entry=None if stored.entry is None else encode(stored.entry),
            leaf_hash=None if stored.leaf_hash is None else encode(stored.leaf_hash),
            indexed=stored.indexed,
        )


def encode(raw: bytes) -> str:
    """Bytes as standard Base64."""
    return b64encode(raw).decode()


@router.get("/head")
async def get_head(call: Annotated[Call, requires("auditor")]) -> LogHead:
    """The log's size and root."""
    async with call.read() as conn:
        claim = await store.select_claim(conn)
    return LogHead(size=claim.size, root=encode(claim.root), recorded_at=claim.recorded_at)


@router.get("/roots")
async def list_roots(call: Annotated[Call, requires("auditor")], paging: Paging) -> Page[RecordedRoot]:
    """The root after each batch, by size."""
    after = paging.after or "0"
    if not (after.isascii() and after.isdigit() and int(after) <= MAX_INDEX):
        raise Malformed("cursor", "must be the `next` of an answer", "256")
    async with call.read() as conn:
        found = await store.select_roots(conn, int(after), paging.limit + 1)
    return paging.page([RecordedRoot.of(root) for root in found], lambda root: str(root.size))


@router.get("/entries")
async def list_entries(
    call: Annotated[Call, requires("auditor")],
    start: Annotated[int, Query(ge=0, le=MAX_INDEX)] = 0,
    limit: Annotated[int, Query(ge=1, le=ENTRIES)] = ENTRIES,
) -> Page[LogEntry]:
    """Entries from index ``start`` on, exact bytes and all; ``next`` is the start of the page that follows."""
    call.caller.require("auditor", GROUP)
    async with call.read() as conn:
        size = (await store.select_claim(conn)).size
        end = min(start + limit, size)
        found = await store.select_stored(conn, start, end) if start < end else []
    return Page(items=[LogEntry.of(stored) for stored in found], next=str(end) if start < end < size else None)
