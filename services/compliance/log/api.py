"""The log as C2SP tlog-tiles serves it, and its proofs ready made: what public tools and hospitals verify it by.

Nothing beyond the newest checkpoint is served: what is not published may still change when a backup is restored.
Who reads entries is recorded; tiles and proofs show none.
"""

from base64 import b64encode
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import BaseModel, Field

from services.compliance.checkpoints import handlers as checkpoints
from services.compliance.checkpoints.proof_file import ProofFile, build_proof_file
from services.compliance.log import handlers
from services.compliance.log.domain import Pruned, StoredTiles
from services.compliance.log.entry import parse_entry
from services.compliance.log.proofs import Plan, climb, consistency_spans, inclusion_spans, plan_inclusions
from services.compliance.log.tiles import Bundle, NotATile, Tile, is_in_tree, parse_path
from services.compliance.search.handlers import Given, given_in, record_access
from shared.database import Connection
from shared.errors import Forbidden, Malformed, NotFound
from shared.events import GROUP, Instant
from shared.http import Call, Page, Paging, requires

router = APIRouter(prefix="/v1/log", tags=["log"])

MAX_INDEX = 2**63 - 1
FOR_EVER = "private, max-age=31536000, immutable"
NOW_ONLY = "private, no-cache"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
FOR_ALL_SITES = (
    "bundles hold every site's entries and need the role auditor for the whole group, by the grant auditor:*; "
    "for a site of yours, take a package of evidence instead: steward log export evidence"
)
UNPUBLISHED = "no checkpoint of the log was published yet"

Base64 = Annotated[str, Field(examples=["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="])]
Place = Annotated[int, Query(ge=0, le=MAX_INDEX)]
IfNoneMatch = Annotated[str | None, Header()]


class LogCheckpoint(BaseModel):
    """A published checkpoint: the signed note, with the witnesses' lines that have come since."""

    size: int
    note: str
    published_at: Instant


class InclusionProof(BaseModel):
    """RFC 6962 §2.1.1: with the hashes, the leaf leads to the root of the tree of ``size`` entries."""

    index: int
    size: int
    leaf_hash: Base64
    root: Base64
    hashes: list[Base64]


class ConsistencyProof(BaseModel):
    """RFC 6962 §2.1.2: the hashes lead to both roots, so the tree of ``new`` entries begins with that of ``old``."""

    old: int
    new: int
    old_root: Base64
    new_root: Base64
    hashes: list[Base64]


@router.get("/checkpoint", response_class=Response)
async def get_checkpoint(call: Annotated[Call, requires("auditor")], if_none_match: IfNoneMatch = None) -> Response:
    """The newest checkpoint, as a signed note."""
    async with call.read() as conn:
        _, note = await _latest(conn)
    return _answer(note.encode(), TEXT, NOW_ONLY, if_none_match)


@router.get("/checkpoints")
async def list_checkpoints(call: Annotated[Call, requires("auditor")], paging: Paging) -> Page[LogCheckpoint]:
    """All checkpoints that were ever published, by size."""
    after = paging.after or "0"
    if not (after.isascii() and after.isdecimal() and int(after) <= MAX_INDEX):
        raise Malformed("cursor", "must be the `next` of an answer", "256")
    async with call.read() as conn:
        found = await checkpoints.read_checkpoints(conn, int(after), paging.limit + 1)
    shown = [LogCheckpoint(size=one.size, note=one.note, published_at=one.published_at) for one in found]
    return paging.page(shown, lambda one: str(one.size))


@router.get("/pruned")
async def list_pruned(call: Annotated[Call, requires("auditor")]) -> list[Pruned]:
    """Which entries were pruned, and where their archive is."""
    async with call.read() as conn:
        return await handlers.read_pruned(conn)


@router.get("/tile/{resource:path}", response_class=Response)
async def get_tile(
    call: Annotated[Call, requires("auditor")],
    given: Annotated[Given, Depends(given_in)],
    resource: str,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """A hash tile, or for auditors of the whole group an entry bundle: of its present width, or any it once had."""
    try:
        wanted = parse_path(f"tile/{resource}")
    except NotATile as exc:
        raise NotFound(str(exc)) from exc
    body = await (_tile(call, wanted) if isinstance(wanted, Tile) else _bundle(call, wanted, given))
    return _answer(body, BYTES, FOR_EVER, if_none_match)


@router.get("/proof/inclusion")
async def prove_inclusion(
    call: Annotated[Call, requires("auditor")], index: Place, size: Place | None = None
) -> InclusionProof:
    """Proves that an entry is in the log; ``size`` is that of the newest checkpoint, if none is given."""
    async with call.context.pool.acquire() as conn:
        stored = await handlers.read_proof_tiles(conn, [index], size)
    size = _published("size", size, stored)
    if index >= size:
        raise Malformed("index", f"must be below the size, which is {size}", "0")
    spans = inclusion_spans(index, size)
    plan = Plan(size, [[(index, index + 1)], spans])
    [leaf], hashes = plan.solve(stored.pick(plan.tiles))
    root = climb(index, spans, leaf, hashes)
    return InclusionProof(
        index=index, size=size, leaf_hash=_encode(leaf), root=_encode(root), hashes=[*map(_encode, hashes)]
    )


@router.get("/proof/consistency")
async def prove_consistency(
    call: Annotated[Call, requires("auditor")], old: Place, new: Place | None = None
) -> ConsistencyProof:
    """Proves that the log has only grown; ``new`` is the size of the newest checkpoint, if none is given."""
    async with call.context.pool.acquire() as conn:
        stored = await handlers.read_proof_tiles(conn, [old - 1] if old else [], new)
    new = _published("new", new, stored)
    if old > new:
        raise Malformed("old", f"must be at most the new size, which is {new}", "0")
    plan = Plan(new, [consistency_spans(old, new), [(0, old), (0, new)]])
    hashes, [old_root, new_root] = plan.solve(stored.pick(plan.tiles))
    return ConsistencyProof(
        old=old, new=new, old_root=_encode(old_root), new_root=_encode(new_root), hashes=[*map(_encode, hashes)]
    )


@router.get("/proof/file/{index}", response_class=Response)
async def hand_out_proof_file(
    call: Annotated[Call, requires("auditor")],
    given: Annotated[Given, Depends(given_in)],
    index: Annotated[int, Path(ge=0, le=MAX_INDEX)],
) -> Response:
    """The proof of an entry of your sites as a file (C2SP tlog-proof), which needs neither network nor database.

    Its checkpoint is the one with the most cosignatures of the last ones that reach the entry.
    """
    await record_access(call, "proof", given)
    async with call.read() as conn:
        await _check_own(call, index, conn)
        checkpoint = await checkpoints.read_most_cosigned(conn, index)
        if checkpoint is None:
            raise NotFound(f"no checkpoint of the log reaches entry {index} yet")
        plan = plan_inclusions([index], checkpoint.size)
        stored = await handlers.read_proof_tiles(conn, [index], checkpoint.size)
        [proof] = plan.solve(stored.pick(plan.tiles))
    file = build_proof_file(ProofFile(index, tuple(proof), checkpoint.note.encode()))
    named = {"Content-Disposition": f'attachment; filename="{index}.tlog-proof"', "Cache-Control": NOW_ONLY}
    return Response(file, media_type=TEXT, headers=named)


async def _check_own(call: Call, index: int, conn: Connection) -> None:
    """Raises NotFound unless the caller audits the entry's site, Gone where nobody can tell any more."""
    if call.caller.sites("auditor") is None:
        return
    raw = await handlers.read_entry(conn, index)
    if raw is None or not call.caller.has("auditor", parse_entry(raw).site_id):
        raise NotFound(f"no entry {index}")


async def _latest(conn: Connection) -> tuple[int, str]:
    """Size and note of the newest checkpoint. Raises NotFound before the first."""
    latest = await checkpoints.read_latest(conn)
    if latest is None:
        raise NotFound(UNPUBLISHED)
    return latest.size, latest.note


def _published(field: str, wanted: int | None, stored: StoredTiles) -> int:
    """The size that is asked for. Raises Malformed beyond what is published, NotFound where nothing is."""
    newest = stored.published
    if newest is None:
        raise NotFound(UNPUBLISHED)
    if wanted is not None and wanted > newest:
        raise Malformed(field, f"must be at most {newest}, the size of the newest checkpoint", str(newest))
    return newest if wanted is None else wanted


async def _tile(call: Call, tile: Tile) -> bytes:
    async with call.read() as conn:
        await _check_published(tile, conn)
        return (await handlers.read_tiles(conn, [tile]))[tile]


async def _bundle(call: Call, bundle: Bundle, given: Given) -> bytes:
    if not call.caller.has("auditor", GROUP):
        raise Forbidden(FOR_ALL_SITES)
    async with call.read() as conn:
        await _check_published(bundle, conn)
    await record_access(call, "entries", given)
    async with call.read() as conn:
        return await handlers.read_bundle(conn, bundle)


async def _check_published(wanted: Tile | Bundle, conn: Connection) -> None:
    size, _ = await _latest(conn)
    if not is_in_tree(wanted, size):
        raise NotFound(f"the newest checkpoint is of {size} entries, which {wanted.path} is not among")


def _answer(body: bytes, media_type: str, caching: str, if_none_match: str | None) -> Response:
    """The body, or 304 when the caller has it already."""
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": caching}
    if if_none_match is not None and etag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _encode(raw: bytes) -> str:
    return b64encode(raw).decode()
