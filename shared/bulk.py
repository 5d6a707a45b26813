"""Many rows in one request: each has its own answer by its place, or one that is refused stops them all."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from shared.errors import Malformed, Refused

MOST_ROWS = 1000
Rows = Annotated[list[Any], Field(min_length=1, max_length=MOST_ROWS)]
"""Rows as they came: what is wrong with one is said of that one."""

B = TypeVar("B", bound=BaseModel)


class Problem(BaseModel):
    """Why a row was refused, as the problem document of that row alone would say it."""

    status: int = Field(examples=[422])
    title: str
    detail: str

    @classmethod
    def of(cls, refused: Refused) -> "Problem":
        """What a refusal says."""
        return cls(status=refused.status, title=refused.title, detail=refused.detail)


class RowAnswer(BaseModel):
    """What became of one row, by its place; each kind of rows adds the thing that was made of it."""

    index: int
    problem: Problem | None = None


class RowsRefused(Refused):
    """Rows of an all-or-none request break a rule; nothing was changed."""

    status = 422
    title = "Rows refused"


def parse_row(body: type[B], row: object, route: str) -> B:
    """A row as what the route takes one by one. Raises Malformed."""
    try:
        return body.model_validate(row)
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_input=False)[0]
        # A name that is no text (half a surrogate pair) can be read as JSON, and not be answered with.
        field = ".".join(map(str, fault["loc"])).encode(errors="replace").decode() or "row"
        raise Malformed(field, fault["msg"], f"see the example of POST {route}") from exc


def check_none_refused(answers: Sequence[RowAnswer]) -> None:
    """Raises RowsRefused, with what is wrong with each, where a row was refused."""
    refused = [answer for answer in answers if answer.problem]
    if refused:
        told = [answer.model_dump(mode="json", include={"index", "problem"}) for answer in refused]
        raise RowsRefused(f"{len(refused)} of {len(answers)} rows break a rule; nothing was changed", rows=told)
