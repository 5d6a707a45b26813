"""The engine walked at random against a simple model: whoever reaches the end has shown everything on the way.

The model knows the moves and what each asks for; it keeps, for each kind of evidence, until when something good stands.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.inventory.lifecycle.gates import CLOCK_MERCY, AssetFacts, Evidence, Waiver, decide
from shared.events.inventory import LifecycleState
from tests.unit.inventory.lifecycle.cases import (
    ALL_WELL,
    DRIVE,
    FAN,
    LONE_DRIVE,
    NODE,
    NOW,
    POLICY,
    SERVER,
    SYSTEM,
    UPS,
    is_stored,
    serving,
)

STORED = sorted(kind_id for kind_id, kind in POLICY.evidence.items() if is_stored(kind))
PROVED = ["custody_complete", "on_manifest", "dossier_sealed", "dossier_signatures", "media_recorded", "no_dependents"]
PROVED_KINDS = {"custody_chain", "recycler_manifest", "dossier", "dossier_signatures"}
BEHIND: list[LifecycleState] = ["isolated", "sanitized", "disposed", "closed"]
SPOILS = ["nothing", "nothing", "revoked", "future", "old", "wrong", "partly", "waived", "expired", "own", "asked"]
CERTIFICATE, VALIDATED = "sanitization_certificate", "sanitization_validated"
TAKEN_AWAY = {"custody_chain", "recycler_manifest"}
MEDIA = {"a": "Drive A", "b": "Drive B"}


class Life(RuleBasedStateMachine):
    """One asset, whose moves are asked for in any order while evidence comes and goes and the clock jumps."""

    recorded = Bundle("recorded")

    @initialize(
        classes=st.sampled_from([SYSTEM, SYSTEM, NODE, DRIVE, LONE_DRIVE, UPS, SERVER, FAN]),
        state=st.sampled_from(["proposed", "in_service"]),
    )
    def begin(self, classes: frozenset[str], state: LifecycleState) -> None:
        """An asset that is wished for, or one that is adopted."""
        self.classes = classes
        self.state: LifecycleState = state
        self.now = NOW
        self.since: datetime | None = None
        self.evidence: dict[str, list[Evidence]] = defaultdict(list)
        self.waivers: dict[str, list[Waiver]] = defaultdict(list)
        self.walk: list[LifecycleState] = [state]
        self.shown: set[str] = set()
        self.unproved: set[str] = set()

    @property
    def media(self) -> dict[str, str]:
        """What needs a certificate."""
        return MEDIA if "system" in self.classes else {"a": "Drive A"} if "component:drive" in self.classes else {}

    def facts(self) -> AssetFacts:
        """The asset as it stands."""
        said = {fact: "it is not so" if fact in self.unproved else None for fact in ALL_WELL}
        return AssetFacts(self.state, self.classes, self.since, frozenset({"archive"}), self.media, said)

    @rule(fact=st.sampled_from(PROVED))
    def turn(self, fact: str) -> None:
        """What inventory finds out by itself turns false, or true again."""
        self.unproved ^= {fact}

    @rule(target=recorded, kind=st.sampled_from(STORED), of=st.sampled_from(["a", "b", "archive"]))
    def record(self, kind: str, of: str) -> tuple[str, str]:
        """Something good is recorded."""
        for one in serving(kind, covers={of}, at=self.now):
            self.evidence[kind].append(one)
        return kind, of

    @rule(of=st.sampled_from(["a", "b"]), by=st.sampled_from(["alice", "bruno"]))
    def certify(self, of: str, by: str) -> None:
        """A certificate comes as a paper that somebody records."""
        [paper] = serving(CERTIFICATE, 2, covers={of}, at=self.now)
        self.evidence[CERTIFICATE].append(replace(paper, by=by))

    @rule(of=st.sampled_from(["a", "b"]), by=st.sampled_from(["alice", "bruno"]))
    def validate(self, of: str, by: str) -> None:
        """Somebody validates a certificate, perhaps his own, perhaps one that is not there."""
        [word] = serving(VALIDATED, 2, covers={of}, at=self.now)
        self.evidence[VALIDATED].append(replace(word, by=by))

    @rule(kind=st.sampled_from(STORED))
    def record_what_is_wrong(self, kind: str) -> None:
        """Something that no policy takes: it never counts."""
        self.evidence[kind].append(Evidence("x", "event", "asset.changed", self.now, "mallory"))
        self.evidence[kind].append(Evidence("y", "statement", "janitor", self.now, "mallory", role="viewer"))

    @rule(what=recorded)
    def revoke(self, what: tuple[str, str]) -> None:
        """All of a kind is revoked."""
        self.evidence[what[0]] = [replace(one, revoked=True) for one in self.evidence[what[0]]]

    @rule(kind=st.sampled_from(sorted(POLICY.evidence)), days=st.integers(-5, 90), approver=st.sampled_from("abn"))
    def waive(self, kind: str, days: int, approver: str) -> None:
        """a has asked; b approves, or a does, or nobody."""
        approved_by = None if approver == "n" else approver
        self.waivers[kind].append(Waiver("w", self.now + timedelta(days=days), "a", approved_by))

    @rule(days=st.integers(-30, 800))
    def jump(self, days: int) -> None:
        """The clock jumps, also back."""
        self.now += timedelta(days=days)

    @precondition(lambda self: self.state in POLICY.next_states)
    @rule(data=st.data(), spoil=st.sampled_from(SPOILS))
    def earn_and_move(self, data: st.DataObject, spoil: str) -> None:
        """All that the model says is asked for is given; then one thing of it may be spoilt, and perhaps waived."""
        to_state = data.draw(st.sampled_from(POLICY.next_states[self.state]))
        asked = [kind_id for kind_id, _ in POLICY.needs(self.state, to_state, self.classes) or () if kind_id in STORED]
        for kind_id in asked:
            for of in (*self.media, "archive"):
                self.evidence[kind_id] += serving(kind_id, covers={of}, at=self.now)
        spoilt = data.draw(st.sampled_from(asked)) if asked and spoil != "nothing" else None
        if spoilt is not None:
            self.spoil(spoilt, spoil)
        is_back = self.since is not None and self.now < self.since
        assert self.ask(to_state) or spoilt is not None or self.unproved or is_back, (self.state, to_state)

    def spoil(self, kind_id: str, how: str) -> None:
        """Takes from one kind what makes it good."""
        changes: dict[str, dict[str, Any]] = {
            "revoked": {"revoked": True},
            "future": {"at": self.now + timedelta(days=1)},
            "old": {"at": self.now - timedelta(days=POLICY.evidence[kind_id].validity_days or 1)},
            "wrong": {"what": "asset.changed"},
        }
        change = changes.get(how, {"revoked": True})
        self.evidence[kind_id] = [replace(one, **change) for one in self.evidence[kind_id]]
        if how == "partly":
            self.evidence[kind_id] = serving(kind_id, covers={"b"}, at=self.now)[:1]
        if how in ("waived", "expired", "own", "asked"):
            ends = self.now if how == "expired" else self.now + timedelta(days=1)
            approved_by = {"own": "a", "asked": None}.get(how, "b")
            self.waivers[kind_id] = [Waiver("w", ends, "a", approved_by)]

    @rule(to_state=st.sampled_from(sorted({move.to_state for move in POLICY.moves})))
    def move(self, to_state: LifecycleState) -> None:
        """A move is asked for with what is there."""
        self.ask(to_state)

    def ask(self, to_state: LifecycleState) -> bool:
        """Asks the engine, holds its answer against the model's, and moves where it may."""
        decision = decide(POLICY, self.facts(), to_state, self.evidence, self.waivers, self.now)
        needs = POLICY.needs(self.state, to_state, self.classes)
        expected = needs is not None and all(self.is_met(kind_id) for kind_id, _ in needs)
        assert decision.allowed == expected, (self.state, to_state, decision.missing)
        assert decision.allowed == (not decision.missing)
        if decision.allowed:
            if to_state == "sanitized":
                assert all(self.is_seen_by_two(of) for of in self.media)
            self.shown |= {one.kind for one in decision.met}
            self.state, self.since = to_state, self.now
            self.walk.append(to_state)
        return decision.allowed

    def is_met(self, kind_id: str) -> bool:
        """What the model says of one kind: good and fresh, or waived by another than who asked."""
        kind = POLICY.evidence[kind_id]
        if kind.facts and not self.unproved.issuperset(kind.facts):
            return True
        waived = any(w.approved_by == "b" and self.now < w.expires_at for w in self.waivers[kind_id])
        if kind.waivable and waived:
            return True
        given = [one for one in self.evidence[kind_id] if one.by != "mallory" and one.what != "asset.changed"]
        given = [one for one in given if not one.revoked]
        good = [one for one in given if self.fresh(one, kind_id)]
        if kind_id == VALIDATED:
            return bool(self.media) and all(self.is_validated(of, good) for of in self.media)
        if kind.each == "medium":
            return bool(good) and set(self.media) <= {of for one in good for of in one.covers}
        if kind.each == "interface":
            return any("archive" in one.covers for one in good)
        return {one.what for one in good} >= set(kind.capacities) and bool(good)

    def is_validated(self, of: str, good: list[Evidence]) -> bool:
        """By an event, or by another than who had recorded a certificate that stands."""
        papers = [one for one in self.evidence[CERTIFICATE] if one.by != "mallory" and not one.revoked]
        papers = [one for one in papers if of in one.covers and one.what != "asset.changed"]
        papers = [one for one in papers if self.fresh(one, CERTIFICATE)]
        said = [one for one in good if of in one.covers]
        return any(
            one.source == "event" or any(paper.by != one.by and paper.at <= one.at for paper in papers) for one in said
        )

    def is_seen_by_two(self, of: str) -> bool:
        """Whether a medium has been certified and validated by two people at least, or by an event of theirs."""
        given = [one for kind in (CERTIFICATE, VALIDATED) for one in self.evidence[kind] if of in one.covers]
        standing = [one for one in given if not one.revoked and one.what != "asset.changed"]
        return any(one.source == "event" for one in standing) or len({one.by for one in standing}) > 1

    def fresh(self, one: Evidence, kind_id: str) -> bool:
        """Neither from the future, nor too old, nor older than the last move where that matters."""
        kind = POLICY.evidence[kind_id]
        is_old = kind.validity_days is not None and self.now - one.at >= timedelta(days=kind.validity_days)
        is_past = kind.since_move and self.since is not None and one.at < self.since
        return one.at <= self.now + CLOCK_MERCY and not is_old and not is_past

    @invariant()
    def nobody_ends_without_evidence(self) -> None:
        """Behind isolation only forward; closed with certificates and signatures; cancelled before service."""
        if "isolated" in self.walk:
            behind = self.walk[self.walk.index("isolated") :]
            assert behind == BEHIND[: len(behind)]
        if self.state == "cancelled":
            assert not {"in_service", "retiring"}.intersection(self.walk)
            assert "no_dependents" in self.shown
        if self.state in BEHIND[1:] and self.media:
            assert {CERTIFICATE, VALIDATED} <= self.shown
        if self.state in BEHIND[1:] and self.classes == SERVER:
            assert "media_accounted" in self.shown
        if self.state in BEHIND[2:] and self.classes not in (NODE, FAN):
            assert self.shown >= TAKEN_AWAY
        if self.state == "closed" and self.classes in (SYSTEM, LONE_DRIVE):
            assert self.shown >= PROVED_KINDS
        if self.state == "closed" and "system" in self.classes:
            assert "migration_manifest" in self.shown


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
