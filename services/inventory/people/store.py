"""SQL of people."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import asyncpg

from services.inventory.people.domain import Person, mailbox
from shared.database import Connection, found
from shared.errors import Conflict, NotFound, Stale
from shared.events.inventory import PersonRole


async def insert_person(conn: Connection, person: Person) -> None:
    """Adds a person. Raises Conflict when the site has somebody with that address or login, NotFound without such a
    site or employer."""
    async with _own_errors(person):
        await conn.execute(
            """INSERT INTO people (id, version, name, email, wire_address, roles, active, phone, login, employer_id,
                                   competences, site_id)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)""",
            *_values(person),
            person.site_id,
        )


async def update_person(conn: Connection, person: Person, expected_version: int) -> None:
    """Replaces all but the site. Raises Stale unless ``expected_version`` is the stored one, else as insert."""
    async with _own_errors(person):
        changed = await conn.fetchval(
            """UPDATE people SET version = $2, name = $3, email = $4, wire_address = $5, roles = $6, active = $7,
                                 phone = $8, login = $9, employer_id = $10, competences = $11
               WHERE id = $1 AND version = $12 RETURNING true""",
            *_values(person),
            expected_version,
        )
    if not changed:
        raise Stale(f"person {person.id} was changed by somebody else; get it again")


async def select_person(conn: Connection, person_id: str) -> Person:
    """One person. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM people WHERE id = $1", person_id)
    return Person.model_validate(dict(found(row, f"person {person_id}")))


async def select_marks(conn: Connection, actors: Collection[str]) -> dict[str, set[str]]:
    """By what each actor is known: his login, that of who issued the key, and the mailboxes of people who have it."""
    rows = await conn.fetch(
        """WITH RECURSIVE behind (actor, login) AS (
               SELECT actor, actor FROM unnest($1::text[]) AS w (actor) UNION
               SELECT b.actor, k.issued_by FROM behind b JOIN api_keys k ON 'key:' || k.name = b.login
               WHERE k.issued_by IS NOT NULL)
           SELECT b.actor, 'login ' || b.login AS login, 'mailbox ' || p.wire_address AS mailbox
           FROM behind b LEFT JOIN people p ON p.login = b.login""",
        list(actors),
    )
    marks: dict[str, set[str]] = {actor: set() for actor in actors}
    for row in rows:
        marks[row["actor"]] |= {mark for mark in (row["login"], row["mailbox"]) if mark}
    return marks


async def select_people(
    conn: Connection,
    visible: Collection[str] | None,
    site_id: str | None,
    role: PersonRole | None,
    competence: str | None,
    after: str | None,
    limit: int,
) -> list[Person]:
    """People by id behind ``after``, of one site, with a role, or with a competence that nobody has taken back.

    ``visible`` None stands for all sites.
    """
    rows = await conn.fetch(
        """SELECT * FROM people
           WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR site_id = $2)
             AND ($3::text IS NULL OR id > $3) AND ($4::text IS NULL OR $4 = ANY(roles))
             AND ($5::text IS NULL OR competences @> jsonb_build_array(jsonb_build_object('name', $5::text)))
           ORDER BY id LIMIT $6""",
        None if visible is None else list(visible),
        site_id,
        after,
        role,
        competence,
        limit,
    )
    return [Person.model_validate(dict(row)) for row in rows]


@asynccontextmanager
async def _own_errors(person: Person) -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as exc:
        what = f"login {person.login}" if exc.constraint_name == "one_person_per_login" else f"address {person.email}"
        raise Conflict(f"somebody at site {person.site_id} has the {what} already") from exc
    except asyncpg.ForeignKeyViolationError as exc:
        employed = exc.constraint_name == "people_employer_id_fkey"
        raise NotFound(f"no vendor {person.employer_id}" if employed else f"no site {person.site_id}") from exc


def _values(person: Person) -> tuple[object, ...]:
    return (
        person.id,
        person.version,
        person.name,
        person.email,
        mailbox(person.email),
        person.roles,
        person.active,
        person.phone,
        person.login,
        person.employer_id,
        [competence.model_dump(mode="json") for competence in person.competences],
    )
