"""SQL of dossiers: what a life is gathered from, and what was sealed and signed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from services.inventory.documents.domain import Document
from services.inventory.dossier.domain import Dossier, File, Signature
from services.inventory.dossier.record import ToldEvent
from services.inventory.evidence.domain import EventFact, EvidenceRecord
from services.inventory.lifecycle.domain import Decision, Transition
from services.inventory.waivers.domain import Waiver
from shared.database import Connection, found
from shared.errors import Conflict

_NEWEST = """SELECT d.id, d.asset_id, d.site_id, d.version, d.sha256, d.size, d.sealed_by, d.sealed_at,
                    (SELECT count(*) FROM dossier_files f WHERE f.dossier_id = d.id) AS files
             FROM dossiers d WHERE d.asset_id = $1 ORDER BY d.version DESC LIMIT 1"""


async def insert_told(conn: Connection, asset_id: str, told: ToldEvent, at: datetime) -> None:
    """Keeps that the audit trail has an event; the same one again changes nothing."""
    await conn.execute(
        "INSERT INTO told_events (id, asset_id, type, at, sha256) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        told.id,
        asset_id,
        told.type,
        at,
        told.sha256,
    )


async def select_told(conn: Connection, asset_ids: Collection[str]) -> list[ToldEvent]:
    """The events about assets that the audit trail has."""
    rows = await conn.fetch(
        "SELECT id, type, asset_id AS subject, sha256 FROM told_events WHERE asset_id = ANY($1) ORDER BY id",
        list(asset_ids),
    )
    return [ToldEvent(**row) for row in rows]


async def select_media_at_isolation(conn: Connection, system_id: str) -> list[str]:
    """The ids of what kept data in a system when it was isolated."""
    rows = await conn.fetch("SELECT medium_id FROM media_at_isolation WHERE system_id = $1 ORDER BY 1", system_id)
    return [row["medium_id"] for row in rows]


async def select_transitions(conn: Connection, asset_ids: Collection[str]) -> list[Transition]:
    """The moves of assets."""
    rows = await conn.fetch("SELECT * FROM transitions WHERE asset_id = ANY($1) ORDER BY id", list(asset_ids))
    return [Transition.model_validate(dict(row)) for row in rows]


async def select_decisions(conn: Connection, decision_ids: Collection[str]) -> list[Decision]:
    """The decisions that moves were made by."""
    rows = await conn.fetch("SELECT * FROM decisions WHERE id = ANY($1) ORDER BY id", list(decision_ids))
    return [Decision.model_validate(dict(row)) for row in rows]


async def select_evidence(conn: Connection, asset_ids: Collection[str]) -> list[EvidenceRecord]:
    """The evidence of assets, also what is revoked."""
    rows = await conn.fetch("SELECT * FROM evidence WHERE asset_id = ANY($1) ORDER BY id", list(asset_ids))
    return [EvidenceRecord.model_validate(dict(row)) for row in rows]


async def select_waivers(conn: Connection, asset_ids: Collection[str]) -> list[Waiver]:
    """The waivers of assets, in whatever state."""
    rows = await conn.fetch("SELECT * FROM waivers WHERE asset_id = ANY($1) ORDER BY id", list(asset_ids))
    return [Waiver.model_validate(dict(row)) for row in rows]


async def select_facts(
    conn: Connection, event_ids: Collection[str], event_type: str, subjects: Collection[str]
) -> list[EventFact]:
    """The events of these ids, and those of a type about these subjects."""
    rows = await conn.fetch(
        """SELECT * FROM event_facts WHERE id = ANY($1)
           UNION SELECT * FROM event_facts WHERE type = $2 AND subject = ANY($3) ORDER BY id""",
        list(event_ids),
        event_type,
        list(subjects),
    )
    return [EventFact.model_validate(dict(row)) for row in rows]


async def select_documents(
    conn: Connection, asset_ids: Collection[str], evidence: Sequence[EvidenceRecord]
) -> list[Document]:
    """The documents of assets as they stand, and the versions that served as evidence."""
    served = [(one.reference, one.sha256) for one in evidence if one.source == "document"]
    rows = await conn.fetch(
        """SELECT d.id, d.site_id, d.kind, v.* FROM documents d JOIN document_versions v ON v.document_id = d.id
           WHERE (v.version = d.version AND d.id IN (SELECT document_id FROM document_assets
                                                     WHERE asset_id = ANY($1)))
              OR (d.id, v.sha256) IN (SELECT * FROM unnest($2::text[], $3::text[]))
           ORDER BY d.id, v.version""",
        list(asset_ids),
        [document_id for document_id, _ in served],
        [sha256 for _, sha256 in served],
    )
    return [Document.model_validate(dict(row)) for row in rows]


async def insert_dossier(
    conn: Connection, dossier: Dossier, record_sha256: str, manifest: bytes, pdf: bytes, files: Sequence[File]
) -> None:
    """Adds a dossier with its files. Raises Conflict where somebody else has sealed one at the same moment."""
    try:
        await conn.execute(
            """INSERT INTO dossiers (id, asset_id, site_id, version, sha256, record_sha256, manifest, pdf, size,
                                     sealed_by, sealed_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
            dossier.id,
            dossier.asset_id,
            dossier.site_id,
            dossier.version,
            dossier.sha256,
            record_sha256,
            manifest,
            pdf,
            dossier.size,
            dossier.sealed_by,
            dossier.sealed_at,
        )
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(f"somebody else has sealed a dossier of asset {dossier.asset_id} at the same moment") from exc
    await conn.executemany(
        "INSERT INTO dossier_files (dossier_id, number, path, size, sha256, crc32) VALUES ($1, $2, $3, $4, $5, $6)",
        [(dossier.id, n, one.path, one.size, one.sha256, one.crc32) for n, one in enumerate(files)],
    )


async def select_newest(conn: Connection, asset_id: str) -> Dossier | None:
    """The newest dossier of an asset, with its signatures; None where none was sealed."""
    row = await conn.fetchrow(_NEWEST, asset_id)
    if row is None:
        return None
    signatures = await select_signatures(conn, row["id"])
    return Dossier.model_validate(dict(row) | {"signatures": signatures})


async def select_record_sha256(conn: Connection, dossier_id: str) -> str:
    """The digest of what a dossier tells. Raises NotFound."""
    row = await conn.fetchrow("SELECT record_sha256 FROM dossiers WHERE id = $1", dossier_id)
    digest: str = found(row, f"dossier {dossier_id}")["record_sha256"]
    return digest


async def select_made(conn: Connection, dossier_id: str) -> dict[str, bytes]:
    """The files of a dossier that are no documents, by their digests: the manifest and the PDF. Raises NotFound."""
    row = await conn.fetchrow(
        """SELECT d.sha256, d.manifest, d.pdf, f.sha256 AS pdf_sha256
           FROM dossiers d JOIN dossier_files f ON f.dossier_id = d.id AND f.number = 1 WHERE d.id = $1""",
        dossier_id,
    )
    made: Any = found(row, f"dossier {dossier_id}")
    return {made["sha256"]: made["manifest"], made["pdf_sha256"]: made["pdf"]}


async def select_files(conn: Connection, dossier_id: str) -> list[File]:
    """The files of a dossier in their order."""
    rows = await conn.fetch(
        "SELECT path, size, sha256, crc32 FROM dossier_files WHERE dossier_id = $1 ORDER BY number", dossier_id
    )
    return [File.model_validate(dict(row)) for row in rows]


async def insert_signature(conn: Connection, dossier_id: str, signature: Signature) -> None:
    """Adds a signature. Raises Conflict where the person has signed the dossier."""
    added = await conn.fetchval(
        """INSERT INTO dossier_signatures (id, dossier_id, signer, role, statement, signed_at)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (dossier_id, signer) DO NOTHING RETURNING true""",
        signature.id,
        dossier_id,
        signature.signer,
        signature.role,
        signature.statement,
        signature.signed_at,
    )
    if not added:
        raise Conflict(f"{signature.signer} has signed this dossier already; the other signature is another person's")


async def select_signatures(conn: Connection, dossier_id: str) -> list[Signature]:
    """The signatures of a dossier in the order of time."""
    rows = await conn.fetch(
        "SELECT id, signer, role, statement, signed_at FROM dossier_signatures WHERE dossier_id = $1 ORDER BY id",
        dossier_id,
    )
    return [Signature.model_validate(dict(row)) for row in rows]
