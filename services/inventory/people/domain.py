"""Rules of people: an address that mail can reach, at least one role, and what somebody can do and for how long."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints
from pydantic_core import PydanticCustomError

from shared.errors import Forbidden, Malformed
from shared.events.inventory import CompetenceLevel, PersonChanged, PersonRole
from shared.mail_address import wire_address
from shared.resource import Body, Day, Id, Line, Resource

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
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 ()/.,*#x-]{2,38}$")]
"""A number to dial, with an extension if there is one."""

NO_PERSON = ("key:", "service:")
"""What begins the name of a program in the audit trail."""

Login = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]
"""The subject of a token."""


class Competence(BaseModel):
    """What somebody can do, from ``since`` through ``until``; without an end as long as nobody says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line = Field(examples=["Archive One administration"])
    level: CompetenceLevel
    since: Day
    until: Day | None = None
    evidence: Line | None = Field(None, examples=["Certificate AO-4711"])

    def holds_on(self, day: date) -> bool:
        """Whether somebody has it on that day."""
        return self.since <= day and (self.until is None or day <= self.until)


EXAMPLE: dict[str, Any] = {
    "name": "Ada Berg",
    "email": "ada.berg@north.example.org",
    "roles": ["clinician"],
    "active": True,
    "phone": "+49 30 555 01-23",
    "login": "ada.berg",
    "competences": [{"name": "Archive One administration", "level": "trained", "since": "2025-04-01"}],
}


class PersonDetails(Body):
    """All that can change about a person. Who is not ``active`` is told nothing."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Line
    email: Email
    roles: Roles
    active: StrictBool
    phone: Phone | None = None
    login: Login | None = Field(None, description="the subject of the person's token: who asks and who approves")
    employer_id: Id | None = Field(None, description="the vendor, for somebody who works for one")
    competences: list[Competence] = Field(default_factory=list, max_length=100)


class Person(Resource):
    """Somebody at a site who is told of what happens there, for as long as ``active``."""

    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b13"])
    site_id: str = Field(examples=["north"])
    name: str = Field(examples=["Ada Berg"])
    email: str = Field(examples=["ada.berg@north.example.org"])
    roles: list[PersonRole] = Field(examples=[["clinician"]])
    active: bool
    phone: str | None
    login: str | None
    employer_id: str | None
    competences: list[Competence]


def check_details(details: PersonDetails) -> None:
    """Raises Malformed for vendor staff of no vendor, and for a competence that ends before it begins."""
    if "vendor" in details.roles and details.employer_id is None:
        raise Malformed("employer_id", "must name the vendor that somebody with the role vendor works for", "an id")
    for place, competence in enumerate(details.competences):
        if competence.until is not None and competence.until < competence.since:
            field = f"competences.{place}.until"
            raise Malformed(field, "must not lie before since", competence.since.isoformat())


def check_is_person(actor: str) -> None:
    """Raises Forbidden for a program: what somebody approves or signs, he does himself."""
    if actor.startswith(NO_PERSON):
        raise Forbidden(f"{actor} is no person: who approves or signs does so with a login of his own")


def one_name_each(marks: Mapping[str, Collection[str]]) -> dict[str, str]:
    """One name for all actors who share a mark, with each other or over others between them."""
    names: dict[str, str] = {}
    for actor in sorted(marks):
        if actor in names:
            continue
        ahead = [actor]
        while ahead:
            one = ahead.pop()
            names[one] = actor
            ahead += [other for other in marks if other not in names and not set(marks[one]).isdisjoint(marks[other])]
    return names


def full_state(person: Person) -> PersonChanged:
    """What ``person.changed`` tells of the person."""
    return PersonChanged.model_validate(person.model_dump())
