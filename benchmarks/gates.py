"""How often a second the gate engine judges a move, on one core: go-live of a system, the longest gate of all.

Half of the systems have shown everything, half lack one signature and have a certificate that has expired. The peer is
the same gate written out by hand for this one policy, with neither words nor ids in its answer. Both are measured in
turns by the time of the processor, and each figure is the middle one.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

from benchmarks.figure import Figure
from benchmarks.ground import Ground
from services.inventory.lifecycle.gates import AssetFacts, Evidence, decide
from services.inventory.policies.domain import Policy
from services.inventory.policies.handlers import BUILT_IN

ROUNDS = 7
EVALUATIONS = 10_000
FLOOR = 20_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SYSTEM = AssetFacts("commissioning", frozenset({"system", "system:production", "system:on_premises"}), NOW - DAY)
SHOWN: Mapping[str, tuple[Evidence, ...]] = {
    "migration_reconciled": (Evidence("1", "event", "migration.verified", NOW, "s", data={"outcome": "reconciled"}),),
    "training_target": (Evidence("2", "event", "training.completed", NOW, "s", data={"share": 95.0}),),
    "rule_of_copies": (Evidence("3", "event", "backup.verified", NOW, "s", data={"rule": "met"}),),
    "restore_drill": (Evidence("4", "event", "restore.drilled", NOW, "s", data={"outcome": "passed"}),),
    "maintenance_plans": (Evidence("5", "document", "report", NOW, "alice"),),
    "downtime_procedure": (Evidence("6", "document", "manual", NOW, "alice"),),
    "go_live_sign_offs": (
        Evidence("7", "statement", "radiology", NOW, "anna", role="approver"),
        Evidence("8", "statement", "it", NOW, "bruno", role="approver"),
    ),
}
SHORT = {
    **SHOWN,
    "maintenance_plans": (replace(SHOWN["maintenance_plans"][0], valid_until=NOW),),
    "go_live_sign_offs": SHOWN["go_live_sign_offs"][:1],
}
DAYS = {"training_target": 365, "rule_of_copies": 35, "restore_drill": 120, "maintenance_plans": 365}
AGES = {"migration_reconciled": 36_500, **DAYS, "downtime_procedure": 730, "go_live_sign_offs": 90}

Given = Mapping[str, Sequence[Evidence]]


async def measure(_: Ground) -> list[Figure]:
    """Judges as often as it takes to be sure."""
    if not by_engine(BUILT_IN.policy, SHOWN) or by_engine(BUILT_IN.policy, SHORT):
        raise AssertionError("the gate is not what it was made to be")
    if not by_hand(SHOWN) or by_hand(SHORT):
        raise AssertionError("the peer is not the same gate")
    ours, theirs = [], []
    for _round in range(ROUNDS):
        ours.append(per_second(lambda given: by_engine(BUILT_IN.policy, given)))
        theirs.append(per_second(by_hand))
    return [Figure("gates judged", median(ours), "1/s", "the gate written out by hand", median(theirs), FLOOR)]


def by_engine(policy: Policy, given: Given) -> bool:
    """What the engine says."""
    return decide(policy, SYSTEM, "in_service", given, {}, NOW).allowed


def by_hand(given: Given) -> bool:
    """What the gate comes to, for who knows this policy by heart."""
    good = {
        kind: [
            e for e in given[kind] if not e.revoked and (e.valid_until or NOW + DAY) > NOW and NOW - e.at < days * DAY
        ]
        for kind, days in AGES.items()
    }
    data = {kind: [one.data for one in records] for kind, records in good.items()}
    signed = {one.what: one.by for one in good["go_live_sign_offs"] if one.role == "approver"}
    return (
        any(one["outcome"] in ("reconciled", "reconciled_with_exceptions") for one in data["migration_reconciled"])
        and any(one["share"] >= 90 for one in data["training_target"])
        and any(one["rule"] == "met" for one in data["rule_of_copies"])
        and any(one["outcome"] == "passed" for one in data["restore_drill"])
        and any(one.what == "report" for one in good["maintenance_plans"])
        and any(one.what in ("manual", "quick_reference") for one in good["downtime_procedure"])
        and signed.keys() == {"radiology", "it"}
        and len(set(signed.values())) == len(signed)
    )


def per_second(judge: Callable[[Given], bool]) -> float:
    """How often a second of the processor's time."""
    began = time.process_time()
    for _ in range(EVALUATIONS // 2):
        judge(SHOWN)
        judge(SHORT)
    return EVALUATIONS / (time.process_time() - began)
