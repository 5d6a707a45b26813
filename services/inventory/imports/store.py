"""SQL of imports: the jobs with their files and reports, and what rows name by other words than an id."""

from collections.abc import AsyncIterable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.inventory.imports.domain import Import, Job, Outcome, RowReport, What
from shared.database import Connection, found
from shared.grants import Caller

PIECE_BYTES = 256 * 1024
KEPT = timedelta(days=90)
_JSON = msgspec.json.Encoder()
_COUNTS = ("rows_read", "created", "changed", "same", "refused")


@dataclass(frozen=True)
class Counts:
    """How many rows were read, and what became of them."""

    rows_read: int = 0
    created: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0


async def insert_import(conn: Connection, job: Job, pieces: AsyncIterable[bytes]) -> None:
    """Adds a job with its file."""
    told = job.model_dump()
    names = (
        *("id", "site_id", "kind", "format", "name", "size", "sha256", "dry_run", "errors", "restore", "usual"),
        *("reason", "made_by", "made_at", "grants", "correlation_id"),
    )
    places = ", ".join(f"${n + 1}" for n in range(len(names)))
    await conn.execute(
        f"INSERT INTO imports ({', '.join(names)}) VALUES ({places})",  # noqa: S608 -- our own names
        *(told[name] for name in names),
    )
    number = 0
    async for piece in pieces:
        await conn.execute("INSERT INTO import_pieces VALUES ($1, $2, $3)", job.id, number, piece)
        number += 1


async def is_work_waiting(conn: Connection) -> bool:
    """Whether there is a job that has not ended."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM imports WHERE state IN ('waiting', 'running'))"))


async def take_turn(conn: Connection, silent_seconds: int) -> bool:
    """Whether this transaction is now the one that imports, until it ends.

    One that is silent for so long, because its process was stopped, is ended by the server.
    """
    await conn.execute("SELECT set_config('idle_in_transaction_session_timeout', $1, true)", f"{silent_seconds}s")
    took = await conn.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended('inventory imports', 0))")
    return bool(took)


async def select_next(conn: Connection) -> Job | None:
    """The oldest job that has not ended; what is running is so no more, when it is our turn."""
    row = await conn.fetchrow("SELECT * FROM imports WHERE state IN ('waiting', 'running') ORDER BY id LIMIT 1")
    return Job.model_validate(dict(row)) if row else None


async def start_import(conn: Connection, import_id: str, now: datetime) -> None:
    """Notes that a job runs, from its first row on; what an earlier attempt has told is forgotten."""
    await conn.execute("DELETE FROM import_rows WHERE import_id = $1", import_id)
    await conn.execute(
        """UPDATE imports SET state = 'running', attempts = attempts + 1, started_at = $2, version = version + 1,
                              rows_expected = NULL, rows_read = 0, created = 0, changed = 0, same = 0, refused = 0
           WHERE id = $1""",
        import_id,
        now,
    )


async def select_piece(conn: Connection, import_id: str, number: int) -> bytes | None:
    """A piece of a job's file; None behind the last one."""
    piece: bytes | None = await conn.fetchval(
        "SELECT bytes FROM import_pieces WHERE import_id = $1 AND number = $2", import_id, number
    )
    return piece


async def update_progress(conn: Connection, import_id: str, counts: Counts, expected: int | None) -> None:
    """Tells how far a job has come."""
    await conn.execute(
        """UPDATE imports SET rows_read = $2, created = $3, changed = $4, same = $5, refused = $6,
                              rows_expected = $7, version = version + 1 WHERE id = $1""",
        import_id,
        *(getattr(counts, name) for name in _COUNTS),
        expected,
    )


async def insert_reports(conn: Connection, import_id: str, kind: str, first: int, outcomes: Sequence[Outcome]) -> None:
    """Adds what became of rows, but for those that are as they were."""
    rows = [
        (import_id, kind, first + n, one.place, one.what, one.thing_id, one.name, _told(one))
        for n, one in enumerate(outcomes)
        if one.what != "same"
    ]
    columns = ("import_id", "kind", "number", "place", "what", "thing_id", "name", "told")
    await conn.copy_records_to_table("import_rows", records=rows, columns=columns)


def _told(outcome: Outcome) -> bytes:
    if outcome.what == "refused":
        return _JSON.encode({"faults": [(fault.field, fault.rule, fault.example) for fault in outcome.faults]})
    return _JSON.encode({"changes": outcome.changes})


async def end_import(conn: Connection, import_id: str, applied: bool, fault: str | None, now: datetime) -> None:
    """Notes how a job has ended, and lets its file go."""
    await conn.execute("DELETE FROM import_pieces WHERE import_id = $1", import_id)
    await conn.execute(
        """UPDATE imports SET state = CASE WHEN $3::text IS NULL THEN 'done' ELSE 'failed' END, applied = $2,
                              fault = $3, ended_at = $4, version = version + 1 WHERE id = $1""",
        import_id,
        applied,
        fault,
        now,
    )


async def delete_old(conn: Connection, now: datetime) -> None:
    """Forgets the reports of jobs that have ended long ago; what they changed stays in history."""
    await conn.execute("DELETE FROM imports WHERE ended_at < $1", now - KEPT)


async def select_import(conn: Connection, import_id: str) -> Import:
    """One job. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM imports WHERE id = $1", import_id)
    return Import.model_validate(dict(found(row, f"import {import_id}")))


async def is_own(conn: Connection, import_id: str, caller: Caller) -> bool:
    """Whether the caller has asked for a job, and has all the rights still that he had then."""
    own = await conn.fetchval(
        "SELECT made_by = $2 AND grants <@ $3::text[] FROM imports WHERE id = $1",
        import_id,
        caller.name,
        list(map(str, caller.grants)),
    )
    return bool(own)


async def select_imports(conn: Connection, caller: Caller, after: str | None, limit: int) -> list[Import]:
    """The jobs of the caller's sites and his own, the latest first."""
    visible = caller.sites("viewer")
    rows = await conn.fetch(
        """SELECT * FROM imports
           WHERE ($1::text[] IS NULL OR site_id = ANY($1) OR (made_by = $2 AND grants <@ $3::text[]))
             AND ($4::text IS NULL OR id < $4)
           ORDER BY id DESC LIMIT $5""",
        None if visible is None else list(visible),
        caller.name,
        list(map(str, caller.grants)),
        after,
        limit,
    )
    return [Import.model_validate(dict(row)) for row in rows]


async def select_reports(
    conn: Connection, import_id: str, what: What | None, after: int, limit: int
) -> list[RowReport]:
    """What became of rows, in the order of the file, behind a number."""
    rows = await conn.fetch(
        """SELECT * FROM import_rows WHERE import_id = $1 AND ($2::text IS NULL OR what = $2) AND number > $3
           ORDER BY number LIMIT $4""",
        import_id,
        what,
        after,
        limit,
    )
    return [_report(dict(row)) for row in rows]


def _report(row: dict[str, Any]) -> RowReport:
    faults = [dict(zip(("field", "rule", "example"), one, strict=True)) for one in row["told"].get("faults", ())]
    changes = [dict(zip(("path", "before", "after"), one, strict=True)) for one in row["told"].get("changes", ())]
    return RowReport.model_validate({**row, "faults": faults, "changes": changes})


_LIVE = "state NOT IN ('closed', 'cancelled')"
_NATURAL = {
    "groups": "SELECT id FROM site_groups WHERE name = $1 AND parent_id IS NOT DISTINCT FROM $2",
    "systems": f"SELECT id FROM assets WHERE kind = 'system' AND site_id = $1 AND name = $2 AND {_LIVE}",  # noqa: S608 -- ours
    "nodes": f"""SELECT id FROM assets WHERE kind = 'node' AND site_id = $1 AND host = $2 AND port = $3
                 AND ae_title = $4 AND {_LIVE}""",  # noqa: S608 -- ours
    "product_versions": "SELECT id FROM product_versions WHERE product_id = $1 AND number = $2",
    "fields": "SELECT id FROM component_fields WHERE component_type = $1 AND name = $2",
    "contracts": "SELECT id FROM contracts WHERE site_id = $1 AND vendor_id = $2 AND kind = $3 AND number = $4",
    "people": "SELECT id FROM people WHERE site_id = $1 AND wire_address = $2",
    "links": "SELECT id FROM links WHERE kind = $1 AND from_id = $2 AND to_id = $3",
    "cables": """SELECT id FROM links WHERE kind = $1 AND from_id = $2 AND to_id = $3
                 AND cable ->> 'from_port' IS NOT DISTINCT FROM $4 AND cable ->> 'to_port' IS NOT DISTINCT FROM $5
                 AND cable ->> 'label' IS NOT DISTINCT FROM $6""",
}
"""By which of its facts a thing is known, other than by its id."""


@dataclass(frozen=True)
class Named:
    """An asset that a row names."""

    id: str
    site_id: str
    kind: str
    name: str


@dataclass(frozen=True)
class Known:
    """By what a component is known: its own names in their one spelling, and where it is installed."""

    id: str
    site_id: str
    type: str
    name: str
    maker_key: str
    serial_key: str | None
    tag_key: str | None
    installed_in: str | None


async def select_natural(conn: Connection, kind: str, *facts: object) -> str | None:
    """The thing of a kind that is known by these facts, if there is one."""
    found_id: str | None = await conn.fetchval(_NATURAL[kind], *facts)
    return found_id


async def select_taken_ids(conn: Connection, ids: Collection[str]) -> set[str]:
    """Those of these ids that assets have."""
    return {row["id"] for row in await conn.fetch("SELECT id FROM assets WHERE id = ANY($1)", list(ids))}


async def is_document(conn: Connection, document_id: str | None) -> bool:
    """Whether there is such a document."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM documents WHERE id = $1)", document_id))


async def select_group_ids(conn: Connection, name: str) -> list[str]:
    """The groups of a name."""
    return [row["id"] for row in await conn.fetch("SELECT id FROM site_groups WHERE name = $1 LIMIT 2", name)]


async def select_product_ids(conn: Connection, spelling: str) -> list[str]:
    """The products of whatever vendor that go by a spelling."""
    rows = await conn.fetch("SELECT product_id FROM product_spellings WHERE spelling = $1 LIMIT 2", spelling)
    return [row["product_id"] for row in rows]


async def select_systems_named(conn: Connection, name: str, sites: Collection[str] | None) -> list[Named]:
    """The live systems with that id or name at these sites; None stands for all."""
    rows = await conn.fetch(
        f"""SELECT id, site_id, kind, name FROM assets
            WHERE kind = 'system' AND (id = $1 OR (name = $1 AND {_LIVE}))
              AND ($2::text[] IS NULL OR site_id = ANY($2)) LIMIT 3""",  # noqa: S608 -- our own text
        name,
        None if sites is None else list(sites),
    )
    return [Named(**dict(row)) for row in rows]


async def select_assets_named(conn: Connection, name: str, key: str, sites: Collection[str] | None) -> list[Named]:
    """The live assets at these sites that go by an id, a name, an AE title, a serial number or a tag."""
    rows = await conn.fetch(
        f"""SELECT id, site_id, kind, name FROM assets
            WHERE (id = $1 OR ((name = $1 OR ae_title = $1 OR id IN (
                      SELECT asset_id FROM components WHERE serial_key = $2 OR tag_key = $2)) AND {_LIVE}))
              AND ($3::text[] IS NULL OR site_id = ANY($3)) LIMIT 3""",  # noqa: S608 -- our own text
        name,
        key,
        None if sites is None else list(sites),
    )
    return [Named(**dict(row)) for row in rows]


async def select_known(
    conn: Connection,
    ids: Sequence[str],
    serials: Sequence[tuple[str, str]],
    named: Sequence[tuple[str, str]],
    tagged: Sequence[tuple[str, str]],
    numbered: Sequence[tuple[str, str]],
) -> list[Known]:
    """Components by id, and live ones by maker and serial number, and by site and name, or tag, or serial number.

    A pair that stands for one thing may find several.
    """
    # Each pair by its index: with the statistics of before the import, the planner would sort all that is there.
    rows = await conn.fetch(
        f"""SELECT a.id, a.site_id, c.type, a.name, c.maker_key, c.serial_key, c.tag_key, c.installed_in
            FROM components c JOIN assets a ON a.id = c.asset_id WHERE c.asset_id = ANY(ARRAY(
                SELECT unnest($1::text[])
                UNION SELECT one.asset_id FROM unnest($2::text[], $3::text[]) AS w (m, s) CROSS JOIN LATERAL (
                    SELECT asset_id FROM components WHERE maker_key = m AND serial_key = s AND {_LIVE} OFFSET 0) one
                UNION SELECT one.id FROM unnest($4::text[], $5::text[]) AS w (s, n) CROSS JOIN LATERAL (
                    SELECT id FROM assets
                    WHERE kind = 'component' AND site_id = s AND name = n AND {_LIVE} OFFSET 0) one
                UNION SELECT one.asset_id FROM unnest($6::text[], $7::text[]) AS w (s, k) CROSS JOIN LATERAL (
                    SELECT asset_id FROM components WHERE site_id = s AND tag_key = k AND {_LIVE} OFFSET 0) one
                UNION SELECT one.asset_id FROM unnest($8::text[], $9::text[]) AS w (s, k) CROSS JOIN LATERAL (
                    SELECT asset_id FROM components WHERE serial_key = k AND site_id = s AND {_LIVE} OFFSET 0) one
            ))""",  # noqa: S608 -- our own text
        list(ids),
        *(list(part) for pairs in (serials, named, tagged, numbered) for part in _split(pairs)),
    )
    return [Known(**dict(row)) for row in rows]


def _split(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [first for first, _ in pairs], [second for _, second in pairs]
