"""Rules of people: an address that mail can reach, at least one role."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from shared.events.inventory import PersonChanged, PersonRole
from shared.mail_address import wire_address
from shared.resource import Resource

_MAX_ADDRESS = 254


def parse_email(text: str) -> str:
    """The address, if mail can go there; its domain may be international (RFC 5891). Raises PydanticCustomError."""
    address = text.strip(" ")
    if len(address) <= _MAX_ADDRESS and not any(char.isspace() for char in address):
        wire = wire_address(address)
        if wire is not None and len(wire.encode()) <= _MAX_ADDRESS:
            return address
    raise PydanticCustomError(
        "email",
        "must be one mail address of at most 254 characters, local-part@domain",
        {"example": "rad.admin@north.example.org"},
    )


def mailbox(email: str) -> str:
    """What two spellings of one mailbox have in common: upper case and the script of the domain don't matter.

    ``email`` has passed ``parse_email``.
    """
    return (wire_address(email) or email).lower()


def parse_roles(roles: list[PersonRole]) -> list[PersonRole]:
    """The roles, each once, in a fixed order."""
    return sorted(set(roles))


Email = Annotated[str, AfterValidator(parse_email)]
Roles = Annotated[list[PersonRole], Field(min_length=1, max_length=10), AfterValidator(parse_roles)]


class Person(Resource):
    """Somebody at a site who is told of what happens there, for as long as ``active``."""

    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b13"])
    site_id: str = Field(examples=["north"])
    name: str = Field(examples=["Ada Berg"])
    email: str = Field(examples=["ada.berg@north.example.org"])
    roles: list[PersonRole] = Field(examples=[["clinician"]])
    active: bool


def full_state(person: Person) -> PersonChanged:
    """What ``person.changed`` tells of the person."""
    return PersonChanged(
        name=person.name, email=person.email, roles=person.roles, active=person.active, version=person.version
    )
