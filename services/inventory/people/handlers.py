"""Commands on people."""

from services.inventory.people import store
from services.inventory.people.domain import Person, full_state
from shared.events.inventory import PersonRole
from shared.resource import check_version
from shared.transactions import Transaction, new_id


async def register_person(
    tx: Transaction, site_id: str, name: str, email: str, roles: list[PersonRole], active: bool
) -> Person:
    """Adds a person to a site. Raises NotFound when there is no such site, Conflict when the address is taken there."""
    person = Person(id=new_id(), site_id=site_id, name=name, email=email, roles=roles, active=active, version=1)
    await store.insert_person(tx.conn, person)
    _record(tx, person)
    return person


async def change_person(
    tx: Transaction,
    person_id: str,
    expected_version: int,
    name: str,
    email: str,
    roles: list[PersonRole],
    active: bool,
) -> Person:
    """Replaces all about a person but the site. Raises NotFound, Stale, Conflict."""
    old = await store.select_person(tx.conn, person_id)
    check_version(f"person {person_id}", old, expected_version)
    changes = {"name": name, "email": email, "roles": roles, "active": active, "version": old.version + 1}
    person = old.model_copy(update=changes)
    await store.update_person(tx.conn, person, expected_version)
    _record(tx, person)
    return person


def _record(tx: Transaction, person: Person) -> None:
    tx.record(full_state(person), subject=person.id, site_id=person.site_id)
