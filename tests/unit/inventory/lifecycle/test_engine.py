"""The engine under any policy and with any evidence says what the policy's document says, word for word."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.inventory.lifecycle.gates import AssetFacts, Evidence, Waiver, decide
from services.inventory.policies.conditions import values_at
from services.inventory.policies.domain import (
    Condition,
    DocumentSource,
    EventSource,
    EvidenceKind,
    Policy,
    StatementSource,
)
from tests.unit.inventory.lifecycle import interpreted
from tests.unit.inventory.lifecycle.cases import NOW, passing

CASES = 4_000
KINDS = ("paper", "word")
EVENTS = ("suite.completed", "media.sanitized")
DOCUMENTS = ("report", "manual", "photo")
CAPACITIES = ("radiology", "it")
PEOPLE = ("anna", "bruno")
NAMES = ("a", "b")
PATHS = ("outcome", "share", "by", "runs.by", "runs.share")
FACTS = ("owner", "sbom")
DAY = timedelta(days=1)
MOMENTS = [
    *(NOW + days * DAY for days in (-4, -3, -2, -1, -1, -1, 0, 0, 1)),
    *(NOW + timedelta(minutes=5, microseconds=more) for more in (0, 1)),
    NOW - DAY + timedelta(microseconds=1),
]


class Case:
    """A policy, an asset, evidence and waivers, all by chance, but so that much of it fits together."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.policy = self.some_policy(version=1 + seed)
        self.facts = AssetFacts(
            "staged",
            frozenset({"system"}),
            self.perhaps(self.moment()),
            interfaces=frozenset(self.some(NAMES)),
            media={name: f"Drive {name}" for name in self.some(NAMES)},
            said={"owner": self.perhaps("it is not so"), "sbom": "none is there"},
        )
        kinds = self.policy.evidence.items()
        self.evidence = {
            kind_id: [self.record(kind) for _ in range(self.chance.randrange(5))] for kind_id, kind in kinds
        }
        self.waivers = {kind_id: [self.waiver()] for kind_id in self.some(KINDS)}

    def some(self, names: Sequence[str], least: int = 0) -> list[str]:
        """Some of the names, each once."""
        return self.chance.sample(names, self.chance.randint(least, len(names)))

    def perhaps(self, value: Any) -> Any:
        """The value, or None."""
        return self.chance.choice([value, None])

    def moment(self) -> datetime:
        """One at which something may turn."""
        return self.chance.choice(MOMENTS)

    def some_policy(self, version: int) -> Policy:
        """A policy of one move that asks for all its kinds."""
        gate = {"assets": ["system"], "needs": KINDS}
        move = {"from_state": "staged", "to_state": "commissioning", "gates": [gate]}
        evidence = {kind_id: self.kind() for kind_id in KINDS}
        return Policy.model_validate({"version": version, "title": "Any", "moves": [move], "evidence": evidence})

    def kind(self) -> dict[str, Any]:
        """A kind of evidence, as a policy's document has it."""
        statement = {
            "type": "statement",
            "role": "approver",
            "capacities": self.some(CAPACITIES),
            "other_than": self.perhaps(self.chance.choice(KINDS)),
        }
        sources = self.chance.choice([[], [statement]])
        return {
            "title": "Any",
            "how": "Anyhow.",
            "sources": sources + [self.source() for _ in range(self.chance.randint(not sources, 2))],
            "validity_days": self.perhaps(self.chance.choice([1, 3])),
            "each": self.perhaps(self.chance.choice(["medium", "interface"])),
            "since_move": self.chance.random() < 0.3,
            "waivable": self.chance.random() < 0.5,
        }

    def source(self) -> dict[str, Any]:
        """What may serve, apart from statements."""
        where = {"field": "outcome", "one_of": ["passed"]}
        passes = {"field": "share", "at_least": self.chance.choice([50, 90])}
        event = {"type": "event", "event": self.chance.choice(EVENTS), "where": [where], "passes": [passes]}
        document = {"type": "document", "kinds": self.some(DOCUMENTS, 1)}
        computed = {"type": "computed", "fact": self.chance.choice(FACTS)}
        return self.chance.choice([event, event, document, document, computed])

    def record(self, kind: EvidenceKind) -> Evidence:
        """Evidence that may serve the kind."""
        source = self.chance.choice(kind.sources)
        spoken: Literal["document", "event", "statement"] = "statement"
        what, data = self.chance.choice([*DOCUMENTS, *EVENTS, *CAPACITIES]), {}
        if isinstance(source, DocumentSource):
            what, spoken = self.chance.choice([*source.kinds, "photo"]), "document"
        elif isinstance(source, EventSource):
            good: list[dict[str, Any]] = [
                passing(source),
                passing(source) | {"share": 90},
                passing(source) | {"share": 50},
            ]
            data = self.chance.choice([*good, good[0] | {"outcome": "failed"}, good[0] | {"share": 89}, {}])
            what, spoken = source.event, "event"
        elif isinstance(source, StatementSource):
            what = self.chance.choice([*source.capacities, ""])
        return Evidence(
            id=str(self.chance.randrange(100)),
            source=spoken,
            what=what,
            at=self.moment(),
            by=self.chance.choice(PEOPLE),
            valid_until=self.chance.choice([None, None, self.moment()]),
            revoked=self.chance.random() < 0.1,
            covers=frozenset(self.some(NAMES)),
            role=self.chance.choice(["approver", "approver", "approver", "operator", None]),
            data=data,
        )

    def waiver(self) -> Waiver:
        """A waiver that may hold."""
        return Waiver("w", self.moment(), "anna", self.chance.choice([*PEOPLE, None]))


def test_engine_says_what_the_document_says() -> None:
    """Which kinds are met and by what, which are missing and why."""
    for seed in range(CASES):
        case = Case(seed)
        decision = decide(case.policy, case.facts, "commissioning", case.evidence, case.waivers, NOW)
        met, missing = interpreted.answer(case.policy, case.facts, KINDS, case.evidence, case.waivers, NOW)
        assert {one.kind: one.by for one in decision.met} == met, seed
        assert {one.kind: one.why for one in decision.missing} == missing, seed
        assert decision.allowed == (not missing), seed


SCALARS = st.sampled_from(["passed", "ada", "ben", 1, 90, 90.0, True, False])
VALUES = SCALARS | st.none() | st.lists(SCALARS | st.none(), max_size=3)
RUNS = st.dictionaries(st.sampled_from(["by", "share"]), VALUES)
DATA = st.fixed_dictionaries(
    {}, optional={"outcome": VALUES, "share": VALUES, "by": VALUES, "runs": RUNS | st.lists(RUNS | SCALARS, max_size=3)}
)
FIELDS = st.sampled_from(PATHS)
CONDITIONS = st.one_of(
    st.builds(Condition, field=FIELDS, one_of=st.lists(SCALARS, min_size=1, max_size=3)),
    st.builds(Condition, field=FIELDS, at_least=st.sampled_from([0, 1, 90])),
    st.builds(Condition, field=FIELDS, differs_from=FIELDS),
)


@settings(max_examples=500)
@given(condition=CONDITIONS, data=DATA)
def test_condition_holds_as_it_is_written(condition: Condition, data: dict[str, Any]) -> None:
    """Whatever the data of an event are, and wherever lists lie in them."""
    assert condition.holds(data) == interpreted.is_so(condition, data)
    assert values_at(data, condition.field) == list(interpreted.found(data, condition.field.split(".")))
