"""What is read from a list of DICOM nodes: rows that could be registered, and what is wrong with the others.

Pure: the lists come as bytes, and nothing is registered here. A row is told by its place in the list, as a person would
look for it there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.inventory.assets.domain import AeTitle, Host
from shared.events.inventory import NodeRole
from shared.resource import Line

MAX_BYTES = 10 * 1024 * 1024
MAX_ROWS = 100_000
EXAMPLES: Mapping[str, str] = {
    "name": "CT 2, radiology",
    "ae_title": "CT2_NORTH",
    "host": "ct2.north.example.org",
    "port": "104",
    "role": "modality",
    "system": "North archive",
}
WORDS = {"Field required": "is missing", "Extra inputs are not permitted": "has more cells than there are columns"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class NodeRow(BaseModel):
    """A node as a list tells of it. ``system`` is the name or the id of its system, where the list says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line
    ae_title: AeTitle
    host: Host
    port: Annotated[int, Field(ge=1, le=65535)]
    role: NodeRole = "modality"
    system: Line | None = None

    @property
    def address(self) -> tuple[str, int, str]:
        """Where it answers, and as whom: what no two nodes of a list have in common."""
        return self.host, self.port, self.ae_title


@dataclass(frozen=True)
class Fault:
    """What is wrong with a row: its place, the column, the rule, and an example that keeps it."""

    place: str
    field: str
    rule: str
    example: str

    def __str__(self) -> str:
        return f"{self.place}: {self.field} {self.rule}, for example {self.example}"


@dataclass(frozen=True)
class Listed:
    """What a list holds: its rows by their place, and the faults of those that can't be read."""

    rows: Mapping[str, NodeRow]
    faults: Sequence[Fault]


@dataclass(frozen=True)
class Planned:
    """What would be done with a row: it is registered, unless its address is, by the name ``registered_as``."""

    place: str
    row: NodeRow
    registered_as: str | None


class BadList(Exception):
    """The list as a whole can't be read; the message says what it should be."""


def check_size(raw: bytes) -> None:
    """Raises BadList for what is no list of any hospital."""
    if not raw.strip():
        raise BadList("the list is empty")
    if len(raw) > MAX_BYTES:
        raise BadList(f"the list has {len(raw)} bytes, more than {MAX_BYTES}")


def read_rows(told: Iterable[tuple[str, Mapping[str, Any]]]) -> Listed:
    """Reads rows, each with its place. The second of two rows for one address is a fault."""
    rows: dict[str, NodeRow] = {}
    faults: list[Fault] = []
    first: dict[tuple[str, int, str], str] = {}
    for number, (place, values) in enumerate(told):
        if number >= MAX_ROWS:
            raise BadList(f"the list has more than {MAX_ROWS} rows")
        found = _formulas(place, values) or _read_row(place, values)
        if isinstance(found, list):
            faults += found
        elif (earlier := first.setdefault(found.address, place)) != place:
            faults.append(Fault(place, "ae_title", f"stands with the same host and port in {earlier}", "CT3_NORTH"))
        else:
            rows[place] = found
    return Listed(rows, faults)


def _formulas(place: str, values: Mapping[str, Any]) -> list[Fault]:
    """A cell that a spreadsheet would carry out: who exports the list again would pass it on."""
    return [
        Fault(place, field, "must not begin like a formula", EXAMPLES.get(field, "a text"))
        for field, value in values.items()
        if isinstance(value, str) and value.startswith(FORMULA)
    ]


def _read_row(place: str, values: Mapping[str, Any]) -> NodeRow | list[Fault]:
    try:
        return NodeRow.model_validate({name: value for name, value in values.items() if value not in (None, "")})
    except ValidationError as exc:
        return [_fault(place, error["loc"], error["msg"]) for error in exc.errors()]


def _fault(place: str, where: tuple[int | str, ...], said: str) -> Fault:
    field = str(where[0]) if where else "row"
    rule = WORDS.get(said, said[:1].lower() + said[1:])
    return Fault(place, field, rule, EXAMPLES.get(field, f"only {', '.join(EXAMPLES)}"))


def plan_import(listed: Listed, existing: Iterable[NodeRow]) -> list[Planned]:
    """What importing the list would do beside the nodes that are there. Importing again does nothing."""
    there = {node.address: node.name for node in existing}
    return [Planned(place, row, there.get(row.address)) for place, row in listed.rows.items()]
