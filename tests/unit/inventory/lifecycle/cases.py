"""Evidence and facts as the gate engine's tests have them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from services.inventory.lifecycle.gates import AssetFacts, Evidence
from services.inventory.policies.domain import DocumentSource, EventSource, EvidenceKind, StatementSource
from services.inventory.policies.handlers import BUILT_IN
from shared.events.inventory import LifecycleState

POLICY = BUILT_IN.policy
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SYSTEM = frozenset({"system", "system:production", "system:on_premises"})
NODE = frozenset({"node", "node:archive"})
DRIVE = frozenset({"component", "component:drive", "component:medium"})
LONE_DRIVE = DRIVE | {"component:lone_medium"}
UPS = frozenset({"component", "component:ups"})
SERVER = frozenset({"component", "component:server"})
FAN = frozenset({"component", "component:other"})
ALL_WELL: Mapping[Any, str | None] = dict.fromkeys(
    {fact for kind in POLICY.evidence.values() for fact in kind.facts}, None
)


def facts(state: LifecycleState, classes: frozenset[str] = SYSTEM, **more: Any) -> AssetFacts:
    """An asset about which inventory finds nothing wrong, unless said otherwise."""
    return AssetFacts(state, classes, **{"said": ALL_WELL, **more})


def serving(kind_id: str, number: int = 0, *, covers: Iterable[str] = (), at: datetime = NOW) -> list[Evidence]:
    """What meets a kind by one of its sources that are not computed."""
    kind = POLICY.evidence[kind_id]
    sources = [source for source in kind.sources if source.type != "computed"]
    source = sources[number]
    common: dict[str, Any] = {"at": at, "covers": frozenset(covers)}
    if isinstance(source, DocumentSource):
        return [Evidence(f"{kind_id}-d", "document", source.kinds[0], by="alice", **common)]
    if isinstance(source, StatementSource):
        return [
            Evidence(f"{kind_id}-{n}", "statement", capacity, by=f"signer {n}", role=source.role, **common)
            for n, capacity in enumerate(source.capacities or [""])
        ]
    assert isinstance(source, EventSource)
    return [Evidence(f"{kind_id}-e", "event", source.event, by="service:x", data=passing(source), **common)]


def passing(source: EventSource) -> dict[str, Any]:
    """Data of an event that serves."""
    data: dict[str, Any] = {}
    for condition in [*source.where, *source.passes]:
        chosen = condition.one_of[0] if condition.one_of else condition.at_least
        data[condition.field] = "somebody else" if chosen is None else chosen
    return data


def is_stored(kind: EvidenceKind) -> bool:
    """Whether anything but computing can meet a kind."""
    return any(source.type != "computed" for source in kind.sources)
