"""Rules of imports: what is taken in, in which order, what became of each row, and how a job ends. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.inventory.assets.domain import StartState
from services.inventory.exports.cells import Column, read_cell
from services.inventory.exports.columns import AN_ID, COLUMNS, FIELD, START, field_column
from services.inventory.history.domain import FieldChange
from shared.errors import Malformed, Refused
from shared.events import Instant, SiteId
from shared.grants import Caller, Grant, Role
from shared.resource import UUID, Body, Line, Resource

ImportKind = Literal[
    "all",
    "groups",
    "sites",
    "vendors",
    "products",
    "product_versions",
    "fields",
    "systems",
    "nodes",
    "components",
    "links",
    "contracts",
    "people",
    "usage",
]
ImportFormat = Literal["csv", "xlsx", "zip"]
ImportState = Literal["waiting", "running", "done", "failed"]
What = Literal["created", "changed", "same", "refused"]

MOST_ROWS = 500_000
MOST_COLUMNS = 300
MOST_ATTEMPTS = 5
BATCH = 1_000
WORDS = {"Field required": "is missing"}
RESTORED: Mapping[str, StartState] = {
    **dict.fromkeys(("proposed", "planned", "procured", "staged", "commissioning"), "proposed"),
    **dict.fromkeys(("in_service", "maintenance", "degraded", "retiring"), "in_service"),
}
"""The state in which an asset begins again, by the one that it was in: what it had earned, it has to prove anew."""


class NewImport(Body):
    """What is to become of a file. Rows that name no site or system belong to the one that is named here.

    With a site, rows of that site alone are taken, and who sees the site sees the report; with ``group`` rows of all
    sites that you may change, and the report is yours and of those who see the whole group.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "nodes", "site_id": "north", "dry_run": "true", "errors": "refuse"}]}
    )

    kind: ImportKind
    site_id: SiteId
    format: ImportFormat = "csv"
    dry_run: bool = Field(False, description="show every change and every fault, and change nothing")
    errors: Literal["refuse", "skip"] = Field(
        "refuse", description="whether a row that is refused stops the whole file, or only itself"
    )
    restore: bool = Field(
        False, description="make what is not there under the id that a row gives, as a fresh Steward needs it"
    )
    system: Line | None = Field(None, description="the system of rows that name none")


class Import(Resource):
    """A file that is taken in: how far it has come, and what became of its rows. ``applied`` once its changes stand."""

    id: str
    site_id: str = Field(examples=["north"])
    kind: ImportKind
    format: ImportFormat
    name: str = Field(examples=["nodes.csv"])
    size: int
    sha256: str
    dry_run: bool
    errors: Literal["refuse", "skip"]
    restore: bool
    reason: str | None
    made_by: str = Field(examples=["alice"])
    made_at: Instant
    state: ImportState
    applied: bool
    fault: str | None = Field(description="why it failed")
    rows_expected: int | None
    rows_read: int
    created: int
    changed: int
    same: int
    refused: int
    started_at: Instant | None
    ended_at: Instant | None


class Job(Import):
    """An import as it is carried out: in whose name, and with which rights."""

    grants: list[str]
    correlation_id: str
    usual: dict[str, str]
    attempts: int

    @property
    def caller(self) -> Caller:
        """Who has asked for it, with no more than the rights of then."""
        return Caller(self.made_by, frozenset(map(Grant.parse, self.grants)))


class Fault(BaseModel):
    """What is wrong with a row."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(examples=["port"])
    rule: str
    example: str


class RowReport(BaseModel):
    """What became of a row that is not as it was, with each change or each fault. ``place`` is where it stands."""

    number: int
    kind: str
    place: str = Field(examples=["line 17"])
    what: What
    thing_id: str | None
    name: str | None
    changes: list[FieldChange]
    faults: list[Fault]


class BadFile(Exception):
    """The file as a whole can't be read; the message says what it should be."""


@dataclass(frozen=True)
class RawRow:
    """A row as it stands in the file: a text for each column, and what was wrong with cells already."""

    place: str
    cells: Sequence[str]
    faults: Sequence[Fault] = ()


@dataclass(frozen=True)
class Row:
    """A row that was read: for each cell that says something, its value; None takes away what is there."""

    place: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a row."""

    place: str
    what: What
    thing_id: str | None = None
    name: str | None = None
    changes: Sequence[tuple[str, Any, Any]] = ()
    faults: Sequence[Fault] = ()


def narrowed(caller: Caller, site_id: str, is_whole_group: bool) -> list[str]:
    """The caller's grants as far as an import goes that belongs to a site, or to the group."""
    if is_whole_group:
        return sorted(map(str, caller.grants))
    roles: tuple[Role, ...] = ("viewer", "operator", "site-admin")
    return [f"{role}:{site_id}" for role in roles if caller.has(role, site_id)]


def check_columns(kind: str, names: Sequence[str], usual: Mapping[str, str]) -> list[Column]:
    """The columns that a first line names. Raises BadFile."""
    known = {column.name: column for column in COLUMNS[kind]}
    found = []
    for name in names:
        if names.count(name) > 1:
            raise BadFile(f"the first line has the column {name!r} more than once")
        if name in known:
            found.append(known[name])
        elif kind == "components" and name.startswith(FIELD):
            found.append(field_column(name.removeprefix(FIELD)))
        else:
            raise BadFile(f"the first line has a column {name!r}; {kind} have {', '.join(known)}")
    given = {*names, *usual, *(name.removeprefix(START) for name in names)}
    missing = [column.name for column in known.values() if column.needed and column.name not in given]
    if missing and "id" not in names:
        raise BadFile(f"the first line has no column {missing[0]!r}, which {kind} need unless it has their id")
    return found


def at_start(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a row whose thing is not there yet, also those that speak of its start alone."""
    started = {name.removeprefix(START): value for name, value in values.items() if name.startswith(START)}
    return started | {name: value for name, value in values.items() if not name.startswith(START)}


def read_row(columns: Sequence[Column], raw: RawRow, usual: Mapping[str, str]) -> Row | Outcome:
    """The values of a row, or what is wrong with its cells."""
    faults = list(raw.faults)
    faulty = {fault.field for fault in raw.faults}
    values: dict[str, Any] = {}
    for column, cell in zip(columns, raw.cells, strict=True):
        text = cell.strip(" \t\u00a0")
        if not text or column.name in faulty:
            continue
        try:
            values[column.name] = read_cell(column, text)
        except Malformed as exc:
            faults += faults_of(exc)
    if faults:
        return Outcome(raw.place, "refused", name=_text(values.get("name")), faults=faults)
    for name, value in usual.items():
        values.setdefault(name, value)
    return Row(raw.place, values)


def faults_of(refused: Refused) -> list[Fault]:
    """What a refusal says, by field where it names some."""
    told = refused.extra.get("errors") if isinstance(refused, Malformed) else None
    return [Fault(**one) for one in told or ({"field": "row", "rule": refused.detail, "example": "-"},)]


def refused(row: Row, exc: Refused, columns: Mapping[str, str] | None = None) -> Outcome:
    """The outcome of a row that was refused; ``columns`` are the columns by the names of fields."""
    faults = [
        fault.model_copy(update={"field": (columns or {}).get(fault.field, _in_column(fault.field))})
        for fault in faults_of(exc)
    ]
    return Outcome(row.place, "refused", name=_text(row.values.get("name")), faults=faults)


def _in_column(field: str) -> str:
    return field.replace("fields.", FIELD, 1) if field.startswith("fields.") else field


def columns_by_field(kind: str) -> dict[str, str]:
    """The columns of a kind by the name of the field that each is over REST."""
    return {column.field or column.name: column.name for column in COLUMNS[kind]}


def restored_id(values: Mapping[str, Any]) -> str | None:
    """The id that a thing is to have again, if its row gives one. Raises Malformed."""
    told = values.get("id")
    if told is not None and not re.fullmatch(UUID, told):
        raise Malformed("id", "must be an id as an export writes it", AN_ID)
    return None if told is None else str(told).lower()


def as_restored(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with which a thing begins again. Raises Malformed for an asset that has left service behind it."""
    state = values.get("state")
    if state is None:
        return dict(values)
    if state not in RESTORED:
        rule = f"is {state}, which a list can't prove: a backup brings it back, with its evidence"
        raise Malformed("state", rule, "in_service")
    return {**values, "state": RESTORED[state]}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The columns that differ, as they were and as they are."""
    names = [name for name in after if not name.startswith("_") and name in before]
    return [(name, before[name], after[name]) for name in names if before[name] != after[name]]


def of_new(values: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What is told of a thing that was not there."""
    return [(name, None, value) for name, value in values.items() if value is not None]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)[:200]
