"""SQL of software, of the approved list and of MDS2 forms."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import asyncpg

from services.inventory.lifecycle.domain import FINAL
from services.inventory.software.cyclonedx import Item
from services.inventory.software.domain import ApprovedSoftware, Finding, Program, Taken
from services.inventory.software.questionnaire import Answer, Form
from shared.database import Connection, found
from shared.errors import NotFound, Stale
from shared.events import GROUP

ITEM_COLUMNS = ("asset_id", "number", "type", "name", "version", "purl", "cpe", "supplier", "hashes", "approved")
ENTRY_COLUMNS = ("id", "site_id", "name", "versions", "software_type", "asset_type", "note", "version")
LISTS_KEY = 0x736F6674
"""Stands for the approved lists in PostgreSQL's advisory locks."""


async def hold_lists(conn: Connection) -> None:
    """Keeps the approved lists as they are until the transaction ends; others may hold them too."""
    await conn.execute("SELECT pg_advisory_xact_lock_shared($1)", LISTS_KEY)


async def lock_lists(conn: Connection) -> None:
    """Lets nobody compare software until the transaction ends, so that no comparison misses what it changes."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", LISTS_KEY)


async def insert_list(conn: Connection, taken: Taken) -> None:
    """Makes place for an asset's software where it has none; the place is locked by ``lock_list``."""
    await conn.execute(
        """INSERT INTO software_lists (asset_id, site_id, document_id, sha256, items, taken_at, taken_by)
           VALUES ($1, $2, $3, '', 0, $4, $5) ON CONFLICT DO NOTHING""",
        taken.asset_id,
        taken.site_id,
        taken.document_id,
        taken.taken_at,
        taken.taken_by,
    )


async def lock_list(conn: Connection, asset_id: str) -> tuple[Taken, Finding | None]:
    """An asset's list and its open alert, which nobody else changes until the transaction ends. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM software_lists WHERE asset_id = $1 FOR UPDATE", asset_id)
    row = found(row, f"software of asset {asset_id}")
    return Taken.model_validate(dict(row)), _finding(row)


async def select_list(conn: Connection, asset_id: str) -> Taken:
    """Where an asset's software is known from. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM software_lists WHERE asset_id = $1", asset_id)
    return Taken.model_validate(dict(found(row, f"software of asset {asset_id}")))


async def update_list(conn: Connection, taken: Taken, finding: Finding | None) -> None:
    """Stores what is known of a list that is locked; it is due no more."""
    await conn.execute(
        """UPDATE software_lists SET document_id = $2, sha256 = $3, items = $4, unapproved = $5, taken_at = $6,
                                     taken_by = $7, alert_id = $8, alert_raised_at = $9, alert_told = $10, due = false
           WHERE asset_id = $1""",
        taken.asset_id,
        taken.document_id,
        taken.sha256,
        taken.items,
        taken.unapproved,
        taken.taken_at,
        taken.taken_by,
        finding and finding.alert_id,
        finding and finding.raised_at,
        sorted(finding.told) if finding else [],
    )


async def lock_due(conn: Connection, limit: int) -> list[str]:
    """Assets whose software must be compared again, or that have ended with an alert open; each is given to one."""
    rows = await conn.fetch(
        """SELECT l.asset_id FROM software_lists l JOIN assets a ON a.id = l.asset_id
           WHERE l.due OR (l.alert_id IS NOT NULL AND a.state = ANY($1))
           ORDER BY l.asset_id LIMIT $2 FOR UPDATE OF l SKIP LOCKED""",
        list(FINAL),
        limit,
    )
    return [row["asset_id"] for row in rows]


async def mark_due(conn: Connection, site_id: str) -> None:
    """Lets the software of a site's assets, or of all, be compared again."""
    await conn.execute(
        "UPDATE software_lists SET due = true WHERE NOT due AND ($1::text = $2::text OR site_id = $1)", site_id, GROUP
    )


async def replace_items(
    conn: Connection, asset_id: str, items: Sequence[Item], approved: Sequence[bool | None]
) -> None:
    """Puts an asset's software in the place of what it had."""
    await conn.execute("DELETE FROM software_items WHERE asset_id = $1", asset_id)
    rows = (
        (asset_id, number, one.type, one.name, one.version, one.purl, one.cpe, one.supplier, _hashes(one), verdict)
        for number, (one, verdict) in enumerate(zip(items, approved, strict=True), start=1)
    )
    await conn.copy_records_to_table("software_items", records=rows, columns=ITEM_COLUMNS)


async def update_approved(conn: Connection, asset_id: str, verdicts: Iterable[tuple[int, bool | None]]) -> None:
    """Stores what a comparison has found where that is another thing than before."""
    numbers, approved = [], []
    for number, verdict in verdicts:
        numbers.append(number)
        approved.append(verdict)
    await conn.execute(
        """UPDATE software_items i SET approved = n.approved
           FROM unnest($2::integer[], $3::boolean[]) AS n (number, approved)
           WHERE i.asset_id = $1 AND i.number = n.number AND i.approved IS DISTINCT FROM n.approved""",
        asset_id,
        numbers,
        approved,
    )


async def select_items(conn: Connection, asset_id: str) -> list[Program]:
    """All software of an asset, in the order of its SBOM."""
    rows = await conn.fetch("SELECT * FROM software_items WHERE asset_id = $1 ORDER BY number", asset_id)
    return [_program(row) for row in rows]


async def select_some_items(
    conn: Connection, asset_id: str, unapproved: bool | None, after: int, limit: int
) -> list[Program]:
    """Software of an asset behind the number ``after``: what is on no list, what is on one or needs none, or all."""
    rows = await conn.fetch(
        """SELECT * FROM software_items
           WHERE asset_id = $1 AND number > $2 AND ($3::boolean IS NULL OR (approved IS FALSE) = $3)
           ORDER BY number LIMIT $4""",
        asset_id,
        after,
        unapproved,
        limit,
    )
    return [_program(row) for row in rows]


async def insert_entry(conn: Connection, entry: ApprovedSoftware) -> None:
    """Adds an entry to an approved list. Raises NotFound when there is no such site."""
    places = ", ".join(f"${place}" for place in range(1, len(ENTRY_COLUMNS) + 1))
    try:
        await conn.execute(
            f"INSERT INTO approved_software ({', '.join(ENTRY_COLUMNS)}) VALUES ({places})",  # noqa: S608 -- our names
            *(getattr(entry, name) for name in ENTRY_COLUMNS),
        )
    except asyncpg.ForeignKeyViolationError as exc:
        raise NotFound(f"no site {entry.site_id}") from exc


async def update_entry(conn: Connection, entry: ApprovedSoftware, expected_version: int) -> None:
    """Replaces all but the site. Raises Stale unless ``expected_version`` is the stored one."""
    changed = await conn.fetchval(
        """UPDATE approved_software SET name = $2, versions = $3, software_type = $4, asset_type = $5, note = $6,
                                        version = $7
           WHERE id = $1 AND version = $8 RETURNING true""",
        entry.id,
        entry.name,
        entry.versions,
        entry.software_type,
        entry.asset_type,
        entry.note,
        entry.version,
        expected_version,
    )
    _check_changed(changed, entry.id)


async def delete_entry(conn: Connection, entry_id: str, expected_version: int) -> None:
    """Takes an entry away. Raises Stale unless ``expected_version`` is the stored one."""
    deleted = await conn.fetchval(
        "DELETE FROM approved_software WHERE id = $1 AND version = $2 RETURNING true", entry_id, expected_version
    )
    _check_changed(deleted, entry_id)


def _check_changed(changed: object, entry_id: str) -> None:
    if not changed:
        raise Stale(f"approved software {entry_id} was changed by somebody else; get it again")


async def select_entry(conn: Connection, entry_id: str) -> ApprovedSoftware:
    """One entry. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM approved_software WHERE id = $1", entry_id)
    return ApprovedSoftware.model_validate(dict(found(row, f"approved software {entry_id}")))


async def select_entries(
    conn: Connection, visible: Collection[str] | None, site_id: str | None, after: str | None, limit: int
) -> list[ApprovedSoftware]:
    """Entries of one list, or of all that are visible and the group's, by id behind ``after``."""
    rows = await conn.fetch(
        """SELECT * FROM approved_software
           WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR site_id = $2)
             AND ($3::text IS NULL OR id > $3) ORDER BY id LIMIT $4""",
        None if visible is None else [*visible, GROUP],
        site_id,
        after,
        limit,
    )
    return [ApprovedSoftware.model_validate(dict(row)) for row in rows]


async def select_entries_for(conn: Connection, site_id: str, asset_type: str) -> list[ApprovedSoftware]:
    """The entries that hold for assets of a type at a site."""
    rows = await conn.fetch(
        """SELECT * FROM approved_software
           WHERE site_id IN ($1, $2) AND (asset_type IS NULL OR asset_type = $3) ORDER BY id""",
        site_id,
        GROUP,
        asset_type,
    )
    return [ApprovedSoftware.model_validate(dict(row)) for row in rows]


async def upsert_form(conn: Connection, form: Form) -> None:
    """Puts the form that counts for an asset in the place of the one before."""
    await conn.execute(
        """INSERT INTO mds2_forms (asset_id, site_id, document_id, sha256, answers, taken_at, taken_by)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (asset_id) DO UPDATE SET document_id = $3, sha256 = $4, answers = $5, taken_at = $6,
                                                taken_by = $7""",
        form.asset_id,
        form.site_id,
        form.document_id,
        form.sha256,
        [answer.model_dump(mode="json") for answer in form.answers],
        form.taken_at,
        form.taken_by,
    )


async def select_form(conn: Connection, asset_id: str) -> Form:
    """The form that counts for an asset. Raises NotFound."""
    row = found(
        await conn.fetchrow("SELECT * FROM mds2_forms WHERE asset_id = $1", asset_id), f"MDS2 of asset {asset_id}"
    )
    return Form.of([Answer.model_validate(answer) for answer in row["answers"]], **_facts(row))


def _facts(row: asyncpg.Record) -> dict[str, str | datetime]:
    return {name: value for name, value in row.items() if name != "answers"}


def _program(row: asyncpg.Record) -> Program:
    hashes = dict(text.split(":", 1) for text in row["hashes"])
    return Program.model_validate(dict(row) | {"hashes": hashes})


def _hashes(item: Item) -> list[str]:
    return [f"{algorithm}:{digest}" for algorithm, digest in item.hashes.items()]


def _finding(row: asyncpg.Record) -> Finding | None:
    if row["alert_id"] is None:
        return None
    return Finding(row["alert_id"], row["alert_raised_at"], frozenset(row["alert_told"]))
