"""What an agent is given to do and what it brings back, as both sides of the link read it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.probes.conformance.domain import Negotiated, Proposal, cell
from services.probes.kinds.cleaning import cleaned
from services.probes.kinds.domain import Observation
from services.probes.kinds.storage_classes import Uid
from services.probes.runs.domain import LARGEST_SKEW, Probe, Reception
from services.probes.suites.domain import Given
from shared.events import Instant
from shared.events.probes import Outcome
from shared.resource import Body, Moment

MOST_RESULTS = 500
LONGEST_CATCHING_UP = timedelta(hours=1)

AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]
"""What an agent is called: the ``vantage`` of its checks and of its results."""

Text = Annotated[str, Field(max_length=2000)]
Named = Annotated[dict[str, float], Field(max_length=100)]
Refusal = Literal["unknown", "repeated", "from the future"]


class Task(BaseModel):
    """What an agent is to ask of which target. ``settings`` are those of its kind."""

    model_config = ConfigDict(frozen=True)

    kind: str = Field(examples=["tcp"])
    subject: str
    site_id: str = Field(examples=["north"])
    system_id: str | None
    is_heavy: bool
    settings: dict[str, Any]
    timeout_seconds: float = Field(examples=[10])


class Assignment(Task):
    """One probe that an agent makes, and how often."""

    probe_id: str = Field(examples=["tcp:0197f2a4-6a3c-7d52-9c39-3f7e5a1b2c4d"])
    interval_seconds: float = Field(examples=[60])
    retry_interval_seconds: float = Field(examples=[20])

    @classmethod
    def of(cls, probe: Probe) -> "Assignment":
        """What an agent needs to know of a probe."""
        return cls(
            probe_id=probe.id,
            kind=probe.kind,
            subject=probe.subject,
            site_id=probe.site_id,
            system_id=probe.system_id,
            is_heavy=probe.is_heavy,
            settings=dict(probe.settings),
            interval_seconds=probe.interval.total_seconds(),
            retry_interval_seconds=probe.retry_interval.total_seconds(),
            timeout_seconds=probe.timeout.total_seconds(),
        )

    @property
    def probe(self) -> Probe:
        """The probe, as far as an agent knows it."""
        return Probe(
            id=self.probe_id,
            kind=self.kind,
            subject=self.subject,
            site_id=self.site_id,
            system_id=self.system_id,
            name=self.probe_id,
            settings=self.settings,
            interval=timedelta(seconds=self.interval_seconds),
            retry_interval=timedelta(seconds=self.retry_interval_seconds),
            timeout=timedelta(seconds=self.timeout_seconds),
            is_heavy=self.is_heavy,
        )


class Errand(Task):
    """What an agent asks once, as soon as it can and not after ``deadline``: an item of a suite.

    Its result names the id where that of a probe names the probe.
    """

    id: str = Field(examples=["suite-item:0199c3f2-7a51-7c3e-9d55-3f1f2f6f8a10:0"])
    deadline: Instant

    @classmethod
    def of(cls, given: Given) -> "Errand":
        """What an agent needs to know of an item."""
        leased, item = given.leased, given.leased.item
        return cls(
            id=given.id,
            kind=item.kind,
            subject=item.subject or leased.system_id,
            site_id=leased.site_id,
            system_id=leased.system_id,
            is_heavy=item.is_heavy,
            settings=item.settings,
            timeout_seconds=item.timeout_seconds,
            deadline=given.deadline,
        )

    @property
    def probe(self) -> Probe:
        """The errand as a probe, of which there is one run."""
        once = timedelta(seconds=self.timeout_seconds)
        return Probe(
            id=self.id,
            name=self.id,
            interval=once,
            retry_interval=once,
            timeout=once,
            **self.model_dump(include={"kind", "subject", "site_id", "system_id", "settings", "is_heavy"}),
        )


class Assignments(BaseModel):
    """All that an agent has to do: again and again, and once."""

    vantage: str = Field(examples=["north-dmz"])
    items: list[Assignment]
    errands: list[Errand] = []

    @property
    def tag(self) -> str:
        """The same for the same work, and for no other."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:32]


class Negotiation(BaseModel):
    """The matrix of a negotiation: pairs of SOP class and transfer syntax, whether each is needed, its result."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ae_title: Annotated[str, Field(max_length=16)]
    calling_ae_title: Annotated[str, Field(max_length=16)]
    pairs: Annotated[list[tuple[Uid, Uid, bool, Annotated[int, Field(ge=0, le=255)]]], Field(max_length=10_000)]

    @classmethod
    def of(cls, seen: Negotiated) -> "Negotiation":
        """What is to be brought of it."""
        return cls(
            ae_title=seen.ae_title,
            calling_ae_title=seen.calling_ae_title,
            pairs=[(one.sop_class, one.transfer_syntax, one.needed, one.result) for one in seen.cells],
        )

    def added_to(self, seen: Observation) -> Negotiated:
        """What was seen, with the matrix."""
        cells = tuple(cell(Proposal(sop, syntax, needed), result) for sop, syntax, needed, result in self.pairs)
        told = {name: getattr(seen, name) for name in Observation.__dataclass_fields__}
        return Negotiated(**told, cells=cells, ae_title=self.ae_title, calling_ae_title=self.calling_ae_title)


class Brought(BaseModel):
    """What one run saw at a vantage; (probe_id, due_at) is its key, and of an errand its id alone."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    probe_id: Annotated[str, Field(max_length=200)]
    due_at: Moment
    started_at: Moment
    outcome: Outcome
    failure: Annotated[str | None, Field(max_length=60)] = None
    detail: Text
    phases: Named = Field(default_factory=dict)
    rejection: tuple[int, int, int] | None = None
    status: Annotated[str | None, Field(max_length=20)] = None
    measures: Named = Field(default_factory=dict)
    facts: Annotated[dict[str, Text], Field(max_length=100)] = Field(default_factory=dict)
    negotiated: Negotiation | None = None

    @classmethod
    def of(cls, probe_id: str, due_at: datetime, started_at: datetime, observation: Observation) -> "Brought":
        """A run with what it saw, as far as it may be kept."""
        seen = cleaned(observation)
        return cls(
            probe_id=probe_id,
            due_at=due_at,
            started_at=started_at,
            outcome=seen.outcome,
            failure=seen.failure,
            detail=seen.detail,
            phases=dict(seen.phases),
            rejection=seen.rejection,
            status=seen.status,
            measures=dict(seen.measures),
            facts=dict(seen.facts),
            negotiated=Negotiation.of(seen) if isinstance(seen, Negotiated) else None,
        )

    @property
    def observation(self) -> Observation:
        """What was seen."""
        seen = Observation(
            outcome=self.outcome,
            failure=self.failure,
            detail=self.detail,
            phases=self.phases,
            rejection=self.rejection,
            status=self.status,
            measures=self.measures,
            facts=self.facts,
        )
        return self.negotiated.added_to(seen) if self.negotiated else seen


class Delivery(Body):
    """Results in the order in which they were made, the oldest first, and how the agent stands.

    ``sent_at`` is its clock's time; ``waiting`` how many results it still has; ``lost`` how many it had to drop since
    it was installed, because its disk was full; ``quarantined`` how many it has put aside because they were not taken.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"sent_at": "2026-03-01T21:14:05Z", "waiting": 0, "lost": 0, "results": []}]}
    )

    sent_at: Moment
    waiting: Annotated[int, Field(ge=0)] = 0
    lost: Annotated[int, Field(ge=0)] = 0
    quarantined: Annotated[int, Field(ge=0)] = 0
    results: Annotated[list[Brought], Field(max_length=MOST_RESULTS)]


class Refused(BaseModel):
    """A result that was not taken, by its place in the delivery, and why. It is of no more use to its agent."""

    index: int
    reason: Refusal


class Receipt(BaseModel):
    """What became of a delivery. ``retry`` are the probes whose alert is undecided: they are wanted again soon.

    ``work`` is the ETag of what the agent has to do now: if it is another, it need not wait to ask.
    """

    taken: int
    refused: list[Refused]
    retry: list[str]
    work: str = ""


def receipt_of(received: Sequence[tuple[Brought, Reception]], work: str) -> Receipt:
    """What is answered when that became of each result, and there is that work."""
    refused = [
        Refused(index=index, reason=said)
        for index, (_, said) in enumerate(received)
        if said == "unknown" or said == "repeated" or said == "from the future"
    ]
    wanted = {one.probe_id for one, said in received if said == "wanted soon"}
    return Receipt(taken=len(received) - len(refused), refused=refused, retry=sorted(wanted), work=work)


class Agent(BaseModel):
    """An agent as it was last heard of. ``clock_offset_ms`` is how far its clock was ahead of ours."""

    name: str = Field(examples=["north-dmz"])
    site_ids: list[str] = Field(examples=[["north"]])
    probes: int
    last_seen: Instant | None
    clock_offset_ms: float | None
    waiting: int | None
    lost: int | None
    quarantined: int | None = Field(description="results that we could not take, in a folder at the agent")


def is_catching_up(behind_since: datetime | None, now: datetime) -> bool:
    """Whether an agent that has more to bring since then will soon have brought it. One that never does is believed."""
    return behind_since is not None and now - behind_since < LONGEST_CATCHING_UP


def is_clock_wrong(sent_at: datetime, now: datetime) -> bool:
    """Whether results of such a clock would stand at times at which they were not made."""
    return abs(sent_at - now) > LARGEST_SKEW
