"""Commands on dossiers, and what the gates and the end of a life ask of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from zlib import crc32

from services.inventory.assets import handlers as assets
from services.inventory.assets.domain import Asset, Component
from services.inventory.custody import handlers as custody
from services.inventory.documents.handlers import stream_content
from services.inventory.dossier import canonical, container, store
from services.inventory.dossier import domain as rules
from services.inventory.dossier.container import Member
from services.inventory.dossier.domain import Dossier, File, Signature, SignDossier, SignerRole
from services.inventory.dossier.pdf import render
from services.inventory.dossier.record import SANITIZED, Life, ToldEvent, is_medium, manifest_of, record_of
from services.inventory.history.handlers import keep
from services.inventory.lifecycle.domain import FINAL
from services.inventory.people.domain import check_is_person
from services.inventory.people.handlers import same_person
from services.inventory.policies.handlers import find_policy
from services.inventory.sites.handlers import find_site
from shared.database import Connection, Pool
from shared.errors import Conflict, NotFound
from shared.transactions import Transaction, new_id

MANIFEST, PDF = "manifest.json", "dossier.pdf"


@dataclass(frozen=True)
class Prepared:
    """A dossier as it will be if nothing changes until it is sealed."""

    asset_id: str
    record_sha256: str
    manifest: bytes
    pdf: bytes
    files: Sequence[File]
    size: int
    sealed_at: datetime


async def keep_told(tx: Transaction, told: ToldEvent, at: datetime) -> None:
    """Keeps that the audit trail has a step of an asset's life."""
    await store.insert_told(tx.conn, told.subject, told, at)


async def prepare(pool: Pool, asset_id: str, actor: str, now: datetime) -> Prepared:
    """Reads all that belongs to the dossier, each file to its end; no transaction is open meanwhile.

    Raises NotFound, Conflict, or Incomplete with all that is missing.
    """
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        life = await _gather(conn, await assets.find_asset(conn, asset_id))
    rules.check_complete(life)
    record = record_of(life)
    pdf = await asyncio.to_thread(render, record, actor, now)
    contents = {one["path"]: one["sha256"] for one in record["documents"]}
    files = [_file(PDF, pdf), *[await _read_through(pool, path, contents[path]) for path in sorted(contents)]]
    listed = [one.model_dump(include={"path", "size", "sha256"}) for one in files]
    manifest = canonical.encode(manifest_of(record, listed, actor, now))
    files.insert(0, _file(MANIFEST, manifest))
    size = _size(files)
    return Prepared(asset_id, canonical.digest(canonical.encode(record)), manifest, pdf, files, size, now)


async def seal_dossier(tx: Transaction, prepared: Prepared) -> Dossier:
    """Keeps the dossier; signatures on an earlier one don't count for it. Raises Conflict where something changed."""
    asset = await assets.hold_asset(tx, prepared.asset_id)
    life = await _gather(tx.conn, asset)
    if canonical.digest(canonical.encode(record_of(life))) != prepared.record_sha256:
        raise Conflict(f"{asset.kind} {asset.name} has changed while its dossier was made; seal it again")
    old = await store.select_newest(tx.conn, asset.id)
    dossier = Dossier(
        id=new_id(),
        asset_id=asset.id,
        site_id=asset.site_id,
        version=1 if old is None else old.version + 1,
        sha256=canonical.digest(prepared.manifest),
        size=prepared.size,
        files=len(prepared.files),
        sealed_by=tx.actor,
        sealed_at=prepared.sealed_at,
    )
    await store.insert_dossier(
        tx.conn, dossier, prepared.record_sha256, prepared.manifest, prepared.pdf, prepared.files
    )
    await keep(tx, "dossier", None, dossier)
    tx.record(rules.sealed(dossier), subject=asset.id, site_id=asset.site_id)
    return dossier


async def sign_dossier(tx: Transaction, asset_id: str, wanted: SignDossier, role: SignerRole) -> Dossier:
    """Adds the actor's signature on the digest.

    Raises NotFound, Forbidden for a program, Conflict where it is not the dossier as it stands or he has signed it.
    """
    check_is_person(tx.actor)
    asset = await assets.hold_asset(tx, asset_id)
    dossier = await find_dossier(tx.conn, asset)
    rules.check_signable(dossier, wanted.sha256)
    if asset.state in FINAL:
        raise Conflict(f"{asset.kind} {asset.name} is {asset.state}; its dossier is signed")
    signers = {one.signer for one in dossier.signatures}
    rules.check_other_signer(signers & await same_person(tx.conn, tx.actor, signers))
    signature = Signature(id=new_id(), signer=tx.actor, role=role, statement=wanted.statement, signed_at=tx.now)
    await store.insert_signature(tx.conn, dossier.id, signature)
    tx.record(rules.signed(dossier, signature), subject=asset.id, site_id=asset.site_id)
    return dossier.model_copy(update={"signatures": [*dossier.signatures, signature]})


async def find_dossier(conn: Connection, asset: Asset) -> Dossier:
    """The newest dossier of an asset, with what has changed since. Raises NotFound."""
    dossier = await newest_dossier(conn, asset)
    if dossier is None:
        raise NotFound(f"no dossier of {asset.kind} {asset.id}")
    return dossier


async def stream_dossier(pool: Pool, dossier: Dossier) -> AsyncIterator[bytes]:
    """The file, piece by piece: the same bytes each time. No connection is held while who reads is slow."""
    async with pool.acquire() as conn:
        files = await store.select_files(conn, dossier.id)
        made = await store.select_made(conn, dossier.id)
    members = [_member(one) for one in files]
    for one, member in zip(files, members, strict=True):
        yield container.local_header(member)
        if (content := made.get(one.sha256)) is not None:
            yield content
        else:
            async for piece in stream_content(pool, one.sha256):
                yield piece
    yield container.directory(members)


async def digest_of(conn: Connection, asset_id: str) -> str | None:
    """The digest of the newest dossier of an asset; None where none was sealed."""
    dossier = await store.select_newest(conn, asset_id)
    return None if dossier is None else dossier.sha256


async def newest_dossier(conn: Connection, asset: Asset) -> Dossier | None:
    """The newest dossier of an asset, with what has changed since; None where none was sealed."""
    dossier = await store.select_newest(conn, asset.id)
    if dossier is None or asset.state in FINAL:
        return dossier
    record = record_of(await _gather(conn, asset))
    if canonical.digest(canonical.encode(record)) == await store.select_record_sha256(conn, dossier.id):
        return dossier
    manifest = canonical.decode((await store.select_made(conn, dossier.id))[dossier.sha256])
    return dossier.model_copy(update={"changed": rules.changes_since(manifest, record)})


async def _gather(conn: Connection, asset: Asset) -> Life:
    parts = await assets.parts_of(conn, asset.id)
    ids = [asset.id, *(part.id for part in parts)]
    transitions = await store.select_transitions(conn, ids)
    decisions = await store.select_decisions(conn, [one.decision_id for one in transitions if one.decision_id])
    evidence = await store.select_evidence(conn, ids)
    components = [one for one in (asset, *parts) if isinstance(one, Component)]
    chains = await custody.chains_of(conn, components)
    served = [one.reference for one in evidence if one.source == "event" and one.reference]
    left = await _left(conn, asset, components)
    media = [one.id for one in (*components, *left) if is_medium(one)]
    return Life(
        asset=asset,
        site=await find_site(conn, asset.site_id),
        parts=parts,
        left=left,
        transitions=transitions,
        decisions=decisions,
        policies=[await find_policy(conn, one) for one in sorted({made.policy_version for made in decisions})],
        evidence=evidence,
        waivers=await store.select_waivers(conn, ids),
        custody=[link for asset_id in ids for link in chains.get(asset_id, ())],
        disposals=[one for asset_id in ids for one in await custody.disposals_of(conn, asset_id)],
        documents=await store.select_documents(conn, ids, evidence),
        facts=await store.select_facts(conn, served, SANITIZED, media),
        told=await store.select_told(conn, ids),
    )


async def _left(conn: Connection, asset: Asset, components: Sequence[Component]) -> list[Component]:
    """The media that were the asset's when it was isolated and are not now."""
    own = {one.id for one in components}
    found = [
        await assets.find_asset(conn, medium_id)
        for medium_id in await store.select_media_at_isolation(conn, asset.id)
        if medium_id not in own
    ]
    return [one for one in found if isinstance(one, Component)]


async def _read_through(pool: Pool, path: str, content: str) -> File:
    """A document's file as it is stored, read to its end."""
    hashed, size, found = sha256(), 0, 0
    async for piece in stream_content(pool, content):
        hashed.update(piece)
        size, found = size + len(piece), crc32(piece, found)
    if hashed.hexdigest() != content:
        raise Conflict(f"the stored bytes of {path} are not those that were uploaded")
    return File(path=path, size=size, sha256=content, crc32=found)


def _file(path: str, content: bytes) -> File:
    return File(path=path, size=len(content), sha256=canonical.digest(content), crc32=crc32(content))


def _size(files: Sequence[File]) -> int:
    try:
        return container.total_size([_member(one) for one in files])
    except container.NotADossier as exc:
        raise Conflict(f"the dossier would be too large: {exc}") from exc


def _member(file: File) -> Member:
    return Member(file.path, file.size, file.crc32)
