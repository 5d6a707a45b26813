"""SQL of people."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import asyncpg

from services.inventory.people.domain import Person, mailbox
from shared.database import Connection, found
from shared.errors import Conflict, NotFound, Stale


async def insert_person(conn: Connection, person: Person) -> None:
    """Adds a person. Raises Conflict when the site has somebody with that address, NotFound without such a site."""
    async with _own_errors(person):
        await conn.execute(
            """INSERT INTO people (id, version, name, email, wire_address, roles, active, site_id)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
            *_values(person),
            person.site_id,
        )


async def update_person(conn: Connection, person: Person, expected_version: int) -> None:
    """Replaces all but the site. Raises Stale unless ``expected_version`` is the stored one, Conflict as insert."""
    async with _own_errors(person):
        changed = await conn.fetchval(
            """UPDATE people SET version = $2, name = $3, email = $4, wire_address = $5, roles = $6, active = $7
               WHERE id = $1 AND version = $8 RETURNING true""",
            *_values(person),
            expected_version,
        )
    if not changed:
        raise Stale(f"person {person.id} was changed by somebody else; get it again")


async def select_person(conn: Connection, person_id: str) -> Person:
    """One person. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM people WHERE id = $1", person_id)
    return Person.model_validate(dict(found(row, f"person {person_id}")))


async def select_people(
    conn: Connection, visible: Collection[str] | None, site_id: str | None, after: str | None, limit: int
) -> list[Person]:
    """People of one site or of all, by id behind ``after``; ``visible`` None stands for all sites."""
    rows = await conn.fetch(
        """SELECT * FROM people
           WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR site_id = $2)
             AND ($3::text IS NULL OR id > $3) ORDER BY id LIMIT $4""",
        None if visible is None else list(visible),
        site_id,
        after,
        limit,
    )
    return [Person.model_validate(dict(row)) for row in rows]


@asynccontextmanager
async def _own_errors(person: Person) -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(f"somebody at site {person.site_id} has the address {person.email} already") from exc
    except asyncpg.ForeignKeyViolationError as exc:
        raise NotFound(f"no site {person.site_id}") from exc


def _values(person: Person) -> tuple[object, ...]:
    address = mailbox(person.email)
    return (person.id, person.version, person.name, person.email, address, person.roles, person.active)
