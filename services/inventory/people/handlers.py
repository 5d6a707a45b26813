"""Commands on people."""

from collections.abc import Collection, Mapping

from services.inventory.history.handlers import keep
from services.inventory.people import store
from services.inventory.people.domain import Person, PersonDetails, check_details, full_state, one_name_each
from shared.database import Connection
from shared.resource import check_version
from shared.transactions import Transaction, new_id


async def register_person(tx: Transaction, site_id: str, details: PersonDetails, as_id: str | None = None) -> Person:
    """Adds a person to a site, under the id that they had elsewhere if one is given.

    Raises NotFound when there is no such site or employer, Malformed, Conflict when somebody there has the address or
    the login.
    """
    check_details(details)
    known = {name: getattr(details, name) for name in PersonDetails.model_fields}
    person = Person(id=as_id or new_id(), site_id=site_id, version=1, **known)
    await store.insert_person(tx.conn, person)
    await _record(tx, None, person)
    return person


async def change_person(tx: Transaction, person_id: str, expected_version: int, details: PersonDetails) -> Person:
    """Replaces all about a person but the site. Raises NotFound, Stale, Malformed, Conflict."""
    check_details(details)
    old = await store.select_person(tx.conn, person_id)
    check_version(f"person {person_id}", old, expected_version)
    known = {name: getattr(details, name) for name in PersonDetails.model_fields}
    person = old.model_copy(update=known | {"version": old.version + 1})
    await store.update_person(tx.conn, person, expected_version)
    await _record(tx, old, person)
    return person


async def persons_behind(conn: Connection, actors: Collection[str]) -> Mapping[str, str]:
    """One name for all actors who are one person: by logins with one mailbox at whatever sites, and by keys of theirs.

    An approver is told from a requester by it.
    """
    return one_name_each(await store.select_marks(conn, set(actors)))


async def same_person(conn: Connection, actor: str, others: Collection[str]) -> frozenset[str]:
    """The actor, and those of the others who are the same person."""
    named = await persons_behind(conn, {actor, *others})
    return frozenset(one for one, name in named.items() if name == named[actor])


async def _record(tx: Transaction, old: Person | None, person: Person) -> None:
    tx.record(full_state(person), subject=person.id, site_id=person.site_id)
    await keep(tx, "person", old, person)
