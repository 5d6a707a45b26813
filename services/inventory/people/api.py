"""People over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, StrictBool

from services.inventory.people import handlers, store
from services.inventory.people.domain import EXAMPLE, Person, PersonDetails
from shared.events import SiteId
from shared.events.inventory import PersonRole
from shared.http import Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Line

router = APIRouter(prefix="/v1/people", tags=["people"])


class RegisterPerson(PersonDetails):
    """Somebody at a site whom its notices are to reach."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"site_id": "north", **EXAMPLE}]})

    site_id: SiteId
    active: StrictBool = True


@router.post("", status_code=201)
async def register_person(body: RegisterPerson, call: Annotated[Call, requires("site-admin")]) -> Person:
    """Registers a person."""
    call.caller.require("site-admin", body.site_id)
    return await call.run(handlers.register_person, body.site_id, body)


@router.get("")
async def list_people(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    role: PersonRole | None = None,
    competence: Line | None = None,
) -> Page[Person]:
    """The people of your sites, or those with a role or a competence of exactly that name."""
    visible = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_people(conn, visible, site_id, role, competence, paging.after, paging.limit + 1)
    return paging.page(found, lambda person: person.id)


@router.get("/{person_id}")
async def get_person(person_id: Id, call: Annotated[Call, requires("viewer")]) -> Person:
    """The person, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await call.find("viewer", "person", store.select_person, person_id))


@router.put("/{person_id}")
async def change_person(
    person_id: Id, body: PersonDetails, call: Annotated[Call, requires("site-admin")], version: IfMatch
) -> Person:
    """Changes a person."""
    await call.find("site-admin", "person", store.select_person, person_id)
    return await call.run(handlers.change_person, person_id, version, body)
