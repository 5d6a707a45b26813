"""What a policy is made of: moves, their gates, and the kinds of evidence that open a gate.

A policy is a document; ``services/inventory/policies/policy.toml`` is version 1 of it. Which documents make sense is
said in ``soundness.py``.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from services.inventory.policies import conditions
from services.inventory.policies.conditions import Check
from shared.events import Instant
from shared.events.documents import DocumentKind
from shared.events.inventory import LifecycleState
from shared.resource import Body, Line, Resource

KindId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Path = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,3}$")]
"""Where a value lies in an event: ``subject``, or a field of its data; ``systems.id`` is that of each in a list."""

AssetClass = Annotated[str, StringConstraints(pattern=r"^(system|node|component)(:[a-z_]{1,40})?$")]
"""Which assets a gate stands before: all of a kind, or those of a type: ``component:drive``, ``system:staging``.

``component:medium`` is every component that keeps data; no system's dossier tells of a ``component:lone_medium``.
"""

Fact = Literal[
    "owner",
    "hardware_recorded",
    "serial_numbers",
    "dicom_addresses",
    "mds2_form",
    "sbom",
    "support_dates",
    "support_contact",
    "business_associate_agreement",
    "no_dependents",
    "parts_ended",
    "media_recorded",
    "custody_complete",
    "on_manifest",
    "dossier_sealed",
    "dossier_signatures",
]
"""What inventory finds out by itself."""

BEFORE_SERVICE: frozenset[LifecycleState] = frozenset({"proposed", "planned", "procured", "staged", "commissioning"})
SUBJECT: Path = "subject"
Scalar = str | int | float | bool


class Condition(Body):
    """What a field of an event must be: one of some values, a number that is at least so much, or said and other than
    another field says."""

    field: Path
    one_of: Annotated[list[Scalar], Field(min_length=1, max_length=50)] | None = None
    at_least: float | None = None
    differs_from: Path | None = None

    @cached_property
    def holds(self) -> Check:
        """Whether it is so in the data of an event; what the data does not say is not so."""
        if self.differs_from is not None:
            return conditions.differs_from(self.field, self.differs_from)
        if self.at_least is not None:
            return conditions.at_least(self.field, self.at_least)
        return conditions.one_of(self.field, self.one_of or ())


class DocumentSource(Body):
    """A document of one of these kinds that belongs to the asset."""

    type: Literal["document"]
    kinds: Annotated[list[DocumentKind], Field(min_length=1, max_length=20)]


class EventSource(Body):
    """An event about the asset. Of those that are ``where``, one that also ``passes`` serves, and one that does not
    takes back what earlier ones served, as far as both cover the same.

    ``about`` is where the asset's id stands. ``covers`` is where the interfaces or media stand that it speaks of: a
    value, those of a list, or the names that are ``passed`` in a table. ``until`` is where its end stands; events
    ``ended_by`` take it back before. With ``key``, only what has the same value there is taken back.
    """

    type: Literal["event"]
    event: Line
    about: Path = SUBJECT
    where: list[Condition] = Field(default_factory=list, max_length=20)
    passes: list[Condition] = Field(default_factory=list, max_length=20)
    covers: Path | None = None
    until: Path | None = None
    ended_by: list[Line] = Field(default_factory=list, max_length=10)
    key: Path | None = None

    @cached_property
    def selects(self) -> Check:
        """Whether an event with this data speaks of the kind at all."""
        return conditions.all_of([condition.holds for condition in self.where])

    @cached_property
    def accepts(self) -> Check:
        """Whether an event with this data serves."""
        return conditions.all_of([condition.holds for condition in (*self.where, *self.passes)])


class StatementSource(Body):
    """What somebody states who has ``role`` at the site. Each of ``capacities`` is signed for by another person.

    With ``other_than`` it is stated of what was recorded before as evidence of that kind, and by another person.
    """

    type: Literal["statement"]
    role: Literal["operator", "approver"]
    capacities: list[Line] = Field(default_factory=list, max_length=5)
    other_than: KindId | None = None


class ComputedSource(Body):
    """What inventory finds out by itself."""

    type: Literal["computed"]
    fact: Fact


Source = Annotated[DocumentSource | EventSource | StatementSource | ComputedSource, Field(discriminator="type")]


class EvidenceKind(Body):
    """A kind of evidence: what it is called, how a person gets it, and what may serve as it.

    ``each`` wants it for every interface or medium of the asset, and for one at least. With ``since_move`` only what
    came after the asset's last move counts.
    """

    title: Line
    how: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    sources: Annotated[list[Source], Field(min_length=1, max_length=10)]
    validity_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    each: Literal["interface", "medium"] | None = None
    since_move: bool = False
    waivable: bool = True

    @cached_property
    def validity(self) -> timedelta | None:
        """How long what was recorded counts."""
        return None if self.validity_days is None else timedelta(days=self.validity_days)

    @cached_property
    def documents(self) -> frozenset[str]:
        """The kinds of document that may serve."""
        return frozenset(kind for s in self.sources if isinstance(s, DocumentSource) for kind in s.kinds)

    @cached_property
    def events(self) -> Mapping[str, tuple[EventSource, ...]]:
        """The sources by the type of event that may serve."""
        of_events = [source for source in self.sources if isinstance(source, EventSource)]
        return {s.event: tuple(o for o in of_events if o.event == s.event) for s in of_events}

    @cached_property
    def statement(self) -> StatementSource | None:
        """What may be stated."""
        return next((source for source in self.sources if isinstance(source, StatementSource)), None)

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """What may be computed."""
        return tuple(source.fact for source in self.sources if isinstance(source, ComputedSource))

    @cached_property
    def capacities(self) -> tuple[str, ...]:
        """What people must sign as, each another one."""
        return tuple(self.statement.capacities) if self.statement else ()


class Gate(Body):
    """What assets of these classes need before a move."""

    assets: Annotated[list[AssetClass], Field(min_length=1, max_length=40)]
    needs: Annotated[list[KindId], Field(min_length=1, max_length=40)]


class Move(Body):
    """A step that an asset may take, and the gates before it."""

    from_state: LifecycleState
    to_state: LifecycleState
    gates: list[Gate] = Field(default_factory=list, max_length=40)


class Policy(Body):
    """One version of the lifecycle's rules.

    ``owed_by_adopted`` are the states whose gates an asset that was adopted in service has never passed: what it lacks
    of them is shown as its debt.
    """

    version: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    title: Line
    max_waiver_days: Annotated[int, Field(strict=True, ge=1, le=366)] = 90
    owed_by_adopted: list[LifecycleState] = Field(default_factory=list, max_length=15)
    moves: Annotated[list[Move], Field(min_length=1, max_length=100)]
    evidence: Annotated[dict[KindId, EvidenceKind], Field(max_length=200)]

    @cached_property
    def next_states(self) -> Mapping[LifecycleState, tuple[LifecycleState, ...]]:
        """From each state, the states that may come next, in the order of the document."""
        following: dict[LifecycleState, tuple[LifecycleState, ...]] = {}
        for move in self.moves:
            following[move.from_state] = (*following.get(move.from_state, ()), move.to_state)
        return following

    def needs(
        self, from_state: LifecycleState, to_state: LifecycleState, classes: frozenset[str]
    ) -> tuple[tuple[str, EvidenceKind], ...] | None:
        """The kinds that an asset of these classes must show for a move; None where there is no such move."""
        move = next((m for m in self.moves if (m.from_state, m.to_state) == (from_state, to_state)), None)
        if move is None:
            return None
        asked = [kind for gate in move.gates if classes.intersection(gate.assets) for kind in gate.needs]
        return tuple((kind, self.evidence[kind]) for kind in dict.fromkeys(asked))

    def __hash__(self) -> int:
        # Of all its fields, it would be slow, and lists have none.
        return hash(self.version)


class PublishedPolicy(Resource):
    """A version of the policy, who published it and when; the first one comes with Steward."""

    policy: Policy
    sha256: str = Field(examples=["2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"])
    published_by: str = Field(examples=["grace"])
    published_at: Instant | None
