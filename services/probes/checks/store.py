"""SQL of checks."""

from collections.abc import Collection
from typing import Any

import asyncpg

from services.probes.checks.domain import Check
from shared.database import Connection, found
from shared.errors import Conflict, Stale
from shared.listing import fetch_page


async def insert_check(conn: Connection, check: Check) -> None:
    """Adds a check. Raises Conflict where the asset has one of that name."""
    row = _row(check)
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    added = await conn.fetchval(
        f"""INSERT INTO checks ({", ".join(row)}) VALUES ({places})
            ON CONFLICT (subject, name) DO NOTHING RETURNING true""",  # noqa: S608 -- the names are our own model's
        *row.values(),
    )
    if not added:
        raise _name_taken(check)


async def update_check(conn: Connection, check: Check) -> None:
    """Replaces a check by its next version. Raises Stale where another change came first, Conflict for its name."""
    row = _row(check)
    changes = ", ".join(f"{column} = ${place}" for place, column in enumerate(row, start=1))
    try:
        done = await conn.execute(
            f"UPDATE checks SET {changes} WHERE id = $1 AND version = ${len(row)} - 1",  # noqa: S608 -- see above
            *row.values(),
        )
    except asyncpg.UniqueViolationError as exc:
        raise _name_taken(check) from exc
    if done == "UPDATE 0":
        raise Stale(f"check {check.id} was changed meanwhile; get it again")


async def delete_check(conn: Connection, check: Check) -> None:
    """Takes a check away. Raises Stale where another change came first."""
    if await conn.execute("DELETE FROM checks WHERE id = $1 AND version = $2", check.id, check.version) == "DELETE 0":
        raise Stale(f"check {check.id} was changed meanwhile; get it again")


async def move_checks(conn: Connection, subject: str, site_id: str) -> None:
    """Has the checks of an asset be where it is."""
    await conn.execute("UPDATE checks SET site_id = $2 WHERE subject = $1 AND site_id <> $2", subject, site_id)


async def select_check(conn: Connection, check_id: str) -> Check:
    """The check. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM checks WHERE id = $1", check_id)
    return _check(found(row, f"check {check_id}"))


async def select_checks_by_id(conn: Connection, check_ids: Collection[str]) -> list[Check]:
    """Those of these checks that there are."""
    rows = await conn.fetch("SELECT * FROM checks WHERE id = ANY($1) ORDER BY id", list(check_ids))
    return [_check(row) for row in rows]


async def select_checks_of(conn: Connection, subject: str) -> list[Check]:
    """All checks of an asset."""
    return [_check(row) for row in await conn.fetch("SELECT * FROM checks WHERE subject = $1 ORDER BY id", subject)]


async def select_checks(
    conn: Connection,
    visible: Collection[str] | None,
    site_id: str | None,
    subject: str | None,
    kind: str | None,
    after: str | None,
    limit: int,
) -> list[Check]:
    """Checks by id behind ``after``; ``visible`` None stands for all sites."""
    wanted = {"site_id": site_id, "subject": subject, "kind": kind}
    rows = await fetch_page(conn, "checks", visible, wanted, after, limit)
    return [_check(row) for row in rows]


def _row(check: Check) -> dict[str, Any]:
    row = check.model_dump()
    version = row.pop("version")
    return {"id": row.pop("id"), **row, "version": version}


def _check(row: asyncpg.Record) -> Check:
    return Check.model_validate(dict(row))


def _name_taken(check: Check) -> Conflict:
    return Conflict(f"asset {check.subject} has a check with the name {check.name!r}")
