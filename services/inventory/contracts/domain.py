"""Rules of contracts: how long one holds, who is called in which order, and which day is the last."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from services.inventory.people.domain import Email, Phone
from shared.errors import Malformed
from shared.events import GROUP
from shared.events.inventory import ContractChanged, ContractKind
from shared.resource import Body, Day, Id, Line, Resource
from shared.time_zones import is_time_zone

MOST_ASSETS = 500
WORDS: Mapping[ContractKind, str] = {
    "support": "Support contract",
    "business_associate": "Business associate agreement",
    "warranty": "Warranty",
    "lease": "Lease",
}


def parse_time_zone(name: str) -> str:
    """The name, if it is one of the IANA database. Raises PydanticCustomError."""
    if not is_time_zone(name):
        raise PydanticCustomError(
            "time_zone", "must be a time zone of the IANA database", {"example": "Europe/Amsterdam"}
        )
    return name


TimeZone = Annotated[str, AfterValidator(parse_time_zone)]


class Contact(BaseModel):
    """Somebody who can be reached, by phone or by mail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line = Field(examples=["Northlight service desk"])
    phone: Phone | None = None
    email: Email | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> "Contact":
        if self.phone is None and self.email is None:
            raise PydanticCustomError("contact", "must have a phone or an email", {"example": "+31 20 555 0100"})
        return self


class Level(Contact):
    """One step of an escalation: who is called, when somebody is there, and how soon an answer is owed."""

    hours: Line = Field(examples=["Mon-Fri 08:00-18:00, not on public holidays"])
    time_zone: TimeZone = Field(examples=["Europe/Amsterdam"])
    response_minutes: Annotated[int, Field(strict=True, ge=1, le=100_000, examples=[60])]


EXAMPLE: dict[str, Any] = {
    "kind": "support",
    "vendor_id": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b20",
    "number": "SUP-2026-114",
    "starts": "2026-01-01",
    "ends": "2028-12-31",
    "asset_ids": ["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10"],
    "notice_days": 90,
    "contact": {"name": "Ada Berg, purchasing", "email": "ada.berg@north.example.org"},
    "escalation": [
        {
            "name": "Northlight service desk",
            "phone": "+31 20 555 0100",
            "email": "service@northlight.example",
            "hours": "at any time",
            "time_zone": "Europe/Amsterdam",
            "response_minutes": 60,
        },
        {
            "name": "Northlight duty manager",
            "phone": "+31 20 555 0199",
            "hours": "Mon-Fri 08:00-18:00",
            "time_zone": "Europe/Amsterdam",
            "response_minutes": 240,
        },
    ],
}


class ContractDetails(Body):
    """All that can change about a contract."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    kind: ContractKind
    vendor_id: Id
    number: Line
    starts: Day
    ends: Day | None = Field(None, description="the last day on which it holds; null for an open-ended one")
    review_on: Day | None = Field(None, description="when an open-ended one is to be looked at")
    asset_ids: list[Id] = Field(default_factory=list, max_length=MOST_ASSETS, description="what it covers")
    notice_days: Annotated[int, Field(strict=True, ge=0, le=730)] = 90
    escalation: list[Level] = Field(default_factory=list, max_length=10, description="whom to call, in this order")
    contact: Contact | None = Field(None, description="who looks after the contract")
    document_id: Id | None = Field(None, description="the signed paper, among the site's or the group's documents")
    renewed_by: Id | None = Field(None, description="the contract that takes its place")
    let_lapse: StrictBool = Field(False, description="its end is meant, and nobody needs to be told")


class Contract(Resource):
    """What a vendor owes, of what kind, from when until when."""

    id: str
    site_id: str = Field(examples=["north"], description='the site, or "group" for a contract of the whole group')
    kind: ContractKind
    vendor_id: str
    number: str = Field(examples=["SUP-2026-114"])
    starts: date
    ends: date | None
    review_on: date | None
    asset_ids: list[str] = Field(description="what it covers, as far as you may see it")
    notice_days: int
    escalation: list[Level]
    contact: Contact | None
    document_id: str | None
    renewed_by: str | None
    let_lapse: bool

    @property
    def term(self) -> date:
        """The day that somebody has to act for: the last one, or that of the review."""
        term = self.ends or self.review_on
        if term is None:
            raise ValueError(f"contract {self.id} has neither an end nor a review")
        return term

    def holds_on(self, day: date) -> bool:
        """Whether it is in force on that day."""
        return self.starts <= day and (self.ends is None or day <= self.ends)


class Coverage(BaseModel):
    """A contract as it helps a system."""

    contract_id: str
    kind: ContractKind
    number: str
    vendor_id: str
    vendor_name: str = Field(examples=["Northlight Imaging GmbH"])
    starts: date
    ends: date | None
    in_force: bool
    contact: Contact | None
    escalation: list[Level]


class SystemSupport(BaseModel):
    """Whom to call for a system. ``missing`` says what is to be done where no support contract is in force."""

    system_id: str
    site_id: str
    on: date = Field(description="today at the site")
    contracts: list[Coverage] = Field(description="support contracts first, and those in force before all others")
    missing: str | None


NO_SUPPORT = "no support contract in force covers the system: register one by POST /inventory/v1/contracts"


def draft_contract(contract_id: str, site_id: str, details: ContractDetails, version: int) -> Contract:
    """The contract that is asked for. Raises Malformed with the field, the rule and an example."""
    _check_days(details)
    if details.kind == "support" and not details.escalation:
        raise Malformed("escalation", "must name at least one level: who is called first", "see the example")
    known = {name: getattr(details, name) for name in ContractDetails.model_fields}
    known["asset_ids"] = sorted(set(details.asset_ids))
    return Contract(id=contract_id, site_id=site_id, version=version, **known)


def _check_days(details: ContractDetails) -> None:
    if (details.ends is None) == (details.review_on is None):
        rule = "must be the last day; an open-ended contract has review_on instead, and none has both"
        raise Malformed("ends", rule, "2028-12-31")
    for name in ("ends", "review_on"):
        day: date | None = getattr(details, name)
        if day is not None and day < details.starts:
            raise Malformed(name, "must not lie before starts", details.starts.isoformat())


def check_renewal(contract: Contract, successor: Contract) -> None:
    """Raises Malformed unless the other contract goes on where this one ends.

    It runs longer, so that no two contracts can renew each other in a circle.
    """
    if (successor.kind, successor.vendor_id) != (contract.kind, contract.vendor_id):
        raise Malformed("renewed_by", "must be of the same kind and vendor", "the id of the newer contract")
    if successor.term <= contract.term:
        raise Malformed("renewed_by", f"must run longer than until {contract.term}", "the id of the newer contract")


def title_of(contract: Contract, vendor_name: str) -> str:
    """What people call a contract."""
    return f"{WORDS[contract.kind]} {contract.number} with {vendor_name}"


def full_state(contract: Contract) -> ContractChanged:
    """What ``contract.changed`` tells."""
    return ContractChanged.model_validate(contract.model_dump())


def kept_state(contract: Contract) -> Contract:
    """What history shows: everybody may see what the group has, so its assets at single sites are left out."""
    return contract.model_copy(update={"asset_ids": []}) if contract.site_id == GROUP else contract


def cover(contract: Contract, vendor_name: str, today: date) -> Coverage:
    """A contract as it helps a system today."""
    return Coverage(
        contract_id=contract.id,
        vendor_name=vendor_name,
        in_force=contract.holds_on(today),
        **{name: getattr(contract, name) for name in Coverage.model_fields.keys() & Contract.model_fields.keys()},
    )


def support_for(
    system_id: str, site_id: str, contracts: Mapping[str, tuple[Contract, str]], today: date
) -> SystemSupport:
    """Whom to call for a system, by the contracts that cover it, each with the name of its vendor."""
    covered = [cover(contract, vendor_name, today) for contract, vendor_name in contracts.values()]
    covered.sort(key=lambda one: (not one.in_force, one.kind != "support", one.number))
    is_supported = any(one.in_force and one.kind == "support" for one in covered)
    return SystemSupport(
        system_id=system_id,
        site_id=site_id,
        on=today,
        contracts=covered,
        missing=None if is_supported else NO_SUPPORT,
    )
