"""SQL of evidence, and of the events that can be evidence."""

from collections.abc import Sequence

import asyncpg

from services.inventory.evidence.domain import EventFact, EvidenceRecord
from shared.database import Connection, found
from shared.errors import Conflict, Stale

COLUMNS = (
    *("id", "asset_id", "site_id", "kind", "source", "what", "reference", "sha256", "statement", "role", "covers"),
    *("data", "at", "valid_until", "policy_version", "recorded_by", "recorded_at"),
    *("revoked_by", "revoked_at", "revoked_reason", "version"),
)
_INSERT = f"""INSERT INTO evidence ({", ".join(COLUMNS)})
              VALUES ({", ".join(f"${n + 1}" for n in range(len(COLUMNS)))})"""  # noqa: S608 -- our own columns


async def insert_evidence(conn: Connection, record: EvidenceRecord) -> None:
    """Adds evidence. Raises Conflict when the event was recorded for the asset and kind before, even if revoked."""
    added = await conn.fetchval(
        f"{_INSERT} ON CONFLICT DO NOTHING RETURNING true", *(getattr(record, name) for name in COLUMNS)
    )
    if not added:
        raise Conflict(f"event {record.reference} was recorded as {record.kind} before; it serves or was revoked")


async def revoke_evidence(conn: Connection, record: EvidenceRecord, expected_version: int) -> None:
    """Stores that evidence is revoked. Raises Stale."""
    changed = await conn.fetchval(
        """UPDATE evidence SET revoked_by = $2, revoked_at = $3, revoked_reason = $4, version = $5
           WHERE id = $1 AND version = $6 RETURNING true""",
        record.id,
        record.revoked_by,
        record.revoked_at,
        record.revoked_reason,
        record.version,
        expected_version,
    )
    if not changed:
        raise Stale(f"evidence {record.id} was changed by somebody else; get it again")


async def select_evidence(conn: Connection, evidence_id: str) -> EvidenceRecord:
    """One piece of evidence. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM evidence WHERE id = $1", evidence_id)
    return _record(found(row, f"evidence {evidence_id}"))


async def select_page(conn: Connection, asset_id: str, after: str | None, limit: int) -> list[EvidenceRecord]:
    """An asset's evidence behind the id ``after``, oldest first."""
    rows = await conn.fetch(
        "SELECT * FROM evidence WHERE asset_id = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3",
        asset_id,
        after,
        limit,
    )
    return [_record(row) for row in rows]


async def select_of_asset(conn: Connection, asset_id: str, kind: str | None = None) -> list[EvidenceRecord]:
    """All evidence of an asset, of one kind or of all, the newest last."""
    rows = await conn.fetch(
        "SELECT * FROM evidence WHERE asset_id = $1 AND ($2::text IS NULL OR kind = $2) ORDER BY id", asset_id, kind
    )
    return [_record(row) for row in rows]


async def select_by_events(conn: Connection, event_ids: Sequence[str]) -> list[EvidenceRecord]:
    """What was recorded of these events, for whichever assets."""
    rows = await conn.fetch(
        "SELECT * FROM evidence WHERE source = 'event' AND reference = ANY($1::text[]) ORDER BY id", list(event_ids)
    )
    return [_record(row) for row in rows]


async def insert_fact(conn: Connection, fact: EventFact) -> bool:
    """Keeps an event; False when it is kept already."""
    added = await conn.fetchval(
        """INSERT INTO event_facts (id, type, subject, site_id, at, sha256, data) VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT DO NOTHING RETURNING true""",
        fact.id,
        fact.type,
        fact.subject,
        fact.site_id,
        fact.at,
        fact.sha256,
        fact.data,
    )
    return bool(added)


async def select_fact(conn: Connection, event_id: str) -> EventFact:
    """An event that can be evidence. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM event_facts WHERE id = $1", event_id)
    return _fact(found(row, f"event {event_id}"))


async def select_facts_like(conn: Connection, types: Sequence[str], site_id: str, like: object) -> list[EventFact]:
    """The events of these types at a site whose data contain ``like``."""
    rows = await conn.fetch(
        "SELECT * FROM event_facts WHERE type = ANY($1::text[]) AND site_id = $2 AND data @> $3 ORDER BY id",
        list(types),
        site_id,
        like,
    )
    return [_fact(row) for row in rows]


def _record(row: asyncpg.Record) -> EvidenceRecord:
    return EvidenceRecord.model_validate(dict(row))


def _fact(row: asyncpg.Record) -> EventFact:
    return EventFact.model_validate(dict(row))
