"""Rules of recyclers: which certificate covers a day."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from shared.errors import Conflict, Malformed
from shared.events import GROUP
from shared.events import decommissioning as events
from shared.events.decommissioning import Certification, RecyclerChanged
from shared.resource import Body, Day, Line, Resource

RECYCLER_ID = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b31"
CERTIFICATE: JsonDict = {
    "certification": "R2v3",
    "number": "R2-2026-0417",
    "valid_from": "2025-09-01",
    "valid_until": "2028-08-31",
}


class Certificate(BaseModel):
    """A certificate of a recycler, with its first and its last day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certification: Certification
    number: Line = Field(examples=["R2-2026-0417"])
    valid_from: Day
    valid_until: Day

    def covers(self, day: date) -> bool:
        """Whether it is valid on the day; its last day counts."""
        return self.valid_from <= day <= self.valid_until

    def told(self) -> events.Certificate:
        """What events tell of it."""
        return events.Certificate.model_validate(self.model_dump())


class RecyclerDetails(Body):
    """All that can change about a recycler. ``downstream`` are the vendors that it passes material on to."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Greenloop Recycling", "certificates": [CERTIFICATE], "downstream": ["Copperworks North"]}
            ]
        }
    )

    name: Line
    certificates: Annotated[list[Certificate], Field(min_length=1, max_length=50)]
    downstream: list[Line] = Field(default_factory=list, max_length=50)


class Recycler(Resource):
    """A recycler that the group works with."""

    id: str = Field(examples=[RECYCLER_ID])
    name: str = Field(examples=["Greenloop Recycling"])
    certificates: list[Certificate]
    downstream: list[str] = Field(examples=[["Copperworks North"]])

    @property
    def site_id(self) -> str:
        """A recycler belongs to the whole group."""
        return GROUP


def check_details(details: RecyclerDetails) -> None:
    """Raises Malformed for a certificate that ends before it begins."""
    for number, one in enumerate(details.certificates):
        if one.valid_until < one.valid_from:
            field = f"certificates.{number}.valid_until"
            raise Malformed(field, "must not lie before valid_from", one.valid_from.isoformat())


def certificate_on(recycler: Recycler, day: date) -> Certificate:
    """The certificate that covers a day, of several the one that lasts longest. Raises Conflict where none does."""
    covering = [one for one in recycler.certificates if one.covers(day)]
    if not covering:
        known = "; ".join(
            f"{c.certification} {c.number}: {c.valid_from} to {c.valid_until}" for c in recycler.certificates
        )
        raise Conflict(f"recycler {recycler.name} has no certificate that is valid on {day}, only {known}")
    return max(covering, key=lambda one: (one.valid_until, one.number))


def full_state(recycler: Recycler) -> RecyclerChanged:
    """What ``recycler.changed`` tells."""
    return RecyclerChanged.model_validate(recycler.model_dump(exclude={"id"}))
