"""Rules of suites and of their runs: planned → running → done, each item planned → leased → done, once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from services.probes.conformance.domain import Cell
from services.probes.kinds.domain import Observation
from services.probes.suites.expectations import Expectation
from shared.errors import Conflict
from shared.events import Instant, SiteId
from shared.events.inventory import NodeRole
from shared.events.maintenance import SuiteRequested
from shared.events.probes import Function, Interface, Outcome, SuiteItemResult, SuiteOutcome, Verdict
from shared.resource import Body, Id, Line, Prose, Resource

MOST_ITEMS = 50
MOST_TO_RUN = 200
MOST_ATTEMPTS = 3
LONGEST_DETAIL = 1000
LONGEST_TEXT = 200
ITEM = "suite-item:"
UNKNOWN_FOR = timedelta(seconds=60)
"""For how long a run waits for the system that it is about, which inventory may tell of only after it was asked for."""

Purpose = Literal["acceptance", "staging", "post_change", "compatibility", "network", "other"]
SuiteId = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""The short name of a suite that Steward brings along, or the id of one that somebody made."""

ItemName = Annotated[Line, StringConstraints(max_length=80)]
RunState = Literal["planned", "running", "done"]
ItemState = Literal["planned", "leased", "done"]


class Item(Body):
    """One check of a suite: a kind of probe, its settings, on what it runs and what must come of it.

    It runs on each node of the system that has ``role``, or on the one asset ``subject``, or else once, with its
    settings as they are. With ``caller`` it runs once for each other node of that role, under that node's AE title.
    ``check_id`` takes kind, settings and subject from a check. A suite can't pass without a ``required`` item.
    """

    name: ItemName
    function: Function
    interface: Interface
    kind: str | None = Field(None, max_length=50)
    settings: dict[str, Any] = Field(default_factory=dict, max_length=50)
    role: NodeRole | None = None
    subject: Id | None = None
    caller: NodeRole | None = None
    check_id: Id | None = None
    required: bool = False
    timeout_seconds: float = Field(60, ge=1, le=3600)
    expectation: Expectation = Expectation()

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.kind is None) == (self.check_id is None):
            raise ValueError("must have either a kind or a check_id")
        if sum(one is not None for one in (self.role, self.subject, self.check_id)) > 1:
            raise ValueError("must have only one of role, subject and check_id")
        if self.caller is not None and self.role is None:
            raise ValueError("must have a role where it has a caller")
        return self


EXAMPLE_ITEM: dict[str, JsonValue] = {
    "name": "The archive takes images in and gives them back unchanged",
    "function": "import",
    "interface": "archive",
    "kind": "dicom-roundtrip",
    "role": "archive",
    "required": True,
    "expectation": {"outcomes": ["ok"], "phases": {"store": {"maximum": 2000}}},
}


EXAMPLE: dict[str, JsonValue] = {"name": "North archive, acceptance", "purpose": "acceptance", "items": [EXAMPLE_ITEM]}


class SuiteChange(Body):
    """All that can change about a suite."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Line
    purpose: Purpose
    summary: Prose = ""
    items: list[Item] = Field(min_length=1, max_length=MOST_ITEMS)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len({item.name for item in self.items}) < len(self.items):
            raise ValueError("each item must have a name of its own")
        return self


class SuiteDraft(SuiteChange):
    """A suite that somebody wants. One of the site ``group`` is for all sites."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"site_id": "north", **EXAMPLE}]})

    site_id: SiteId


class Suite(Resource):
    """A named set of checks with what is expected of each. Those of the site ``group`` come with Steward."""

    id: str = Field(examples=["acceptance"])
    site_id: str = Field(examples=["group"])
    name: str
    purpose: Purpose
    summary: str
    items: list[Item]


class RunRequest(Body):
    """A system is to be put through a suite.

    ``id`` is the id that the run will have: asked again with it, nothing is run again. ``settings`` are added to those
    of the suite's items, by an item's name. What has not ended after ``timeout_seconds`` is not run any more.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "suite_id": "acceptance",
                    "system_id": "0199c3f2-7a51-7c3e-9d55-3f1f2f6f8a10",
                    "reason": "The archive was installed.",
                    "settings": {"RIS/EHR answers": {"host": "ris.north.example.org", "port": 2575}},
                }
            ]
        }
    )

    id: Id | None = None
    suite_id: SuiteId
    system_id: Id
    reason: Line
    about: Annotated[str, StringConstraints(max_length=200)] | None = None
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict, max_length=MOST_ITEMS)
    timeout_seconds: float = Field(1800, ge=1, le=21_600)


class ItemRun(BaseModel):
    """An item as it is run on one subject, and what came of it. Phases are milliseconds."""

    model_config = ConfigDict(frozen=True)

    position: int
    name: str
    function: Function
    interface: Interface
    kind: str
    subject: str | None
    subject_name: str
    required: bool
    is_heavy: bool
    settings: dict[str, Any]
    expectation: Expectation
    timeout_seconds: float
    vantage: str | None = Field(None, description="the agent that runs it; null for any replica of this service")
    state: ItemState = "planned"
    attempts: int = 0
    started_at: Instant | None = None
    finished_at: Instant | None = None
    verdict: Verdict | None = None
    failure: str | None = None
    detail: str = ""
    outcome: Outcome | None = None
    rejection: tuple[int, int, int] | None = None
    status: str | None = None
    phases: dict[str, float] = Field(default_factory=dict)
    measures: dict[str, float] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)
    evidence: str | None = Field(None, description="SHA-256 of what was seen; GET …/evidence/{sha256}")

    def told(self) -> SuiteItemResult:
        """What ``suite.completed`` tells of it."""
        return SuiteItemResult.model_validate({**self.model_dump(), "verdict": self.verdict or "not_run"})


class SuiteRun(Resource):
    """One run of a suite on a system. ``counts`` and the two sums are of items by verdict; all are empty until done."""

    id: str
    suite_id: str
    suite_name: str
    purpose: Purpose
    system_id: str
    site_id: str
    state: RunState
    reason: str
    about: str | None
    requested_by: str
    requested_at: Instant
    timeout_seconds: float
    settings: dict[str, dict[str, Any]]
    started_at: Instant | None = None
    deadline: Instant | None = None
    finished_at: Instant | None = None
    outcome: SuiteOutcome | None = None
    detail: str = ""
    counts: dict[Verdict, int] = Field(default_factory=dict)
    interfaces: dict[Interface, Verdict] = Field(default_factory=dict)
    functions: dict[Function, Verdict] = Field(default_factory=dict)
    report: str | None = Field(None, description="SHA-256 of the report; GET …/evidence/{sha256}")


class SuiteRunWithItems(SuiteRun):
    """A run with its items."""

    items: list[ItemRun]


@dataclass(frozen=True)
class Leased:
    """An item that is one runner's alone for a while; what is left to an agent has no lease."""

    run_id: str
    site_id: str
    system_id: str
    item: ItemRun
    lease: str | None


@dataclass(frozen=True)
class Given:
    """An item that is left to an agent, which has until ``deadline`` to answer."""

    leased: Leased
    deadline: datetime

    @property
    def id(self) -> str:
        """What the agent calls it, and what its result names where that of a check names its probe."""
        return f"{ITEM}{self.leased.run_id}:{self.leased.item.position}"


@dataclass(frozen=True)
class Seen:
    """What a runner saw of an item, and the evidence as it is kept. Only a negotiation has ``cells`` and titles."""

    observation: Observation
    started_at: datetime
    evidence: bytes
    cells: Sequence[Cell] = ()
    ae_title: str = ""
    calling_ae_title: str = ""


def key_of_item(given_id: str) -> tuple[str, int] | None:
    """The run and the position of an item by the id under which an agent was given it; None for any other id."""
    run_id, _, position = given_id.removeprefix(ITEM).partition(":")
    if not given_id.startswith(ITEM) or not (position.isascii() and position.isdecimal()):
        return None
    return run_id, min(int(position), MOST_TO_RUN)


def draft_suite(suite_id: str, draft: SuiteDraft) -> Suite:
    """The suite as it begins."""
    return Suite(id=suite_id, version=1, **{name: getattr(draft, name) for name in SuiteDraft.model_fields})


def change_suite(suite: Suite, change: SuiteChange) -> Suite:
    """The suite with all that can change replaced."""
    changes = {name: getattr(change, name) for name in SuiteChange.model_fields}
    return suite.model_copy(update={**changes, "version": suite.version + 1})


def requested(system_id: str, asked: SuiteRequested) -> RunRequest:
    """What an event asks for. It was not refused at a door, so what is too long is cut, and all else is answered."""
    return RunRequest.model_construct(
        suite_id=asked.suite_id[:LONGEST_TEXT],
        system_id=system_id,
        reason=asked.reason[:LONGEST_TEXT],
        about=asked.about and asked.about[:LONGEST_TEXT],
        settings=asked.settings,
    )


def new_run(request: RunRequest, run_id: str, site_id: str, actor: str, now: datetime) -> SuiteRun:
    """The run that is asked for, before its suite and its system were looked at."""
    return SuiteRun(
        id=run_id,
        version=1,
        suite_id=request.suite_id,
        suite_name=request.suite_id,
        purpose="other",
        system_id=request.system_id,
        site_id=site_id,
        state="planned",
        reason=request.reason,
        about=request.about,
        requested_by=actor,
        requested_at=now,
        timeout_seconds=request.timeout_seconds,
        settings=request.settings,
    )


def check_same_request(existing: SuiteRun, request: RunRequest) -> None:
    """Raises Conflict when the id was used for a run of another suite or system."""
    if (existing.suite_id, existing.system_id) != (request.suite_id, request.system_id):
        raise Conflict(
            f"suite run {existing.id} is of suite {existing.suite_id} on system {existing.system_id}",
            suite_id=existing.suite_id,
            system_id=existing.system_id,
        )


def started(run: SuiteRun, suite: Suite, now: datetime) -> SuiteRun:
    """The run with its items planned."""
    return run.model_copy(
        update={
            "suite_name": suite.name,
            "purpose": suite.purpose,
            "state": "running",
            "started_at": now,
            "deadline": now + timedelta(seconds=run.timeout_seconds),
            "version": run.version + 1,
        }
    )
