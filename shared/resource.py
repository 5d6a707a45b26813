"""What goes in and out as JSON: bodies that refuse what they don't know, resources that have a version."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError

from shared.errors import Stale
from shared.events import Instant

FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(2200, 1, 1, tzinfo=UTC)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters")
    return text


UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

Id = Annotated[str, StringConstraints(to_lower=True, pattern=f"^{UUID}$")]
"""The id of a resource: a UUID in its usual form."""

Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\r\n\t]*$"),
    AfterValidator(_printable),
]
"""One line of text of at most 200 characters."""

Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000), AfterValidator(_printable)]
"""Text of at most 10,000 characters, lines allowed."""


def _within_reach(instant: datetime) -> datetime:
    if not FIRST_MOMENT <= instant < LAST_MOMENT:
        raise PydanticCustomError("moment", "must lie in the years 2000 to 2199", {"example": "2026-03-01T22:00:00Z"})
    return instant.astimezone(UTC)


Moment = Annotated[Instant, AfterValidator(_within_reach)]
"""An instant that a caller names, in any offset; kept in UTC. What no calendar can mean (the year 9999) is refused."""


FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)
_DAY = r"\d{4}-\d{2}-\d{2}"


def _written_out(value: object) -> object:
    if isinstance(value, date) or (isinstance(value, str) and re.fullmatch(_DAY, value, re.ASCII)):
        return value
    raise PydanticCustomError("day", "must be a date as year, month and day", {"example": "2026-03-01"})


def _in_calendar(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise PydanticCustomError("day", "must lie in the years 1970 to 2199", {"example": "2026-03-01"})
    return day


Day = Annotated[date, BeforeValidator(_written_out), AfterValidator(_in_calendar)]
"""A date that a caller names (a purchase, an end of support); a number is none, though it could be read as one."""


class Body(BaseModel):
    """Base of all request bodies. Each subclass shows an example (``json_schema_extra={"examples": […]}``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Resource(BaseModel):
    """Base of all answers that can be changed; ``version`` is the ETag."""

    model_config = ConfigDict(frozen=True)

    version: int


def check_version(what: str, resource: Resource, expected_version: int) -> None:
    """Raises Stale unless the resource still has the version that a change of it is based on."""
    if resource.version != expected_version:
        raise Stale(f"{what} has version {resource.version}; get it again")
