"""The lifecycle over HTTP walked at random: moves, evidence, revocations and waivers in any order, two at once.

The model is what a person would keep on paper: the state, and which kinds stand good. A drive is walked, whose
certificate and another person's word on it decide, and a node, which needs somebody's word; both begin in service.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from services.inventory.policies.handlers import BUILT_IN
from shared.events.inventory import LifecycleState
from tests.harness import Harness
from tests.integration.inventory.components.parts import install
from tests.integration.inventory.earning import name_document, say
from tests.integration.inventory.lifecycle.steps import STATEMENT, ask_move, give_evidence, revoke
from tests.integration.inventory.requests import ASSETS, register_node, register_system

T = TypeVar("T")
MOVES = BUILT_IN.policy.next_states
STATES: list[LifecycleState] = ["retiring", "migrated", "isolated", "sanitized", "disposed", "closed", "in_service"]
CERTIFICATE, VALIDATED, WORD = "sanitization_certificate", "sanitization_validated", "access_revoked"


class Walk(RuleBasedStateMachine):
    """One asset over the running service; the loop that serves it is another thread's."""

    steward: Harness
    loop: asyncio.AbstractEventLoop
    number = 0

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What the service answers."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    @initialize(is_drive=st.booleans())
    def begin(self, is_drive: bool) -> None:
        """A drive or a node, in service."""
        Walk.number += 1
        self.is_drive = is_drive
        self.asset = self.wait(self.make())
        self.state: LifecycleState = "in_service"
        self.good: dict[str, str] = {}

    async def make(self) -> dict[str, Any]:
        """The asset, under a name of its own."""
        if self.is_drive:
            return await install(self.steward, "drive", manufacturer="Seaquest", serial=f"SQ-{self.number}")
        system = await register_system(self.steward, name=f"Archive {self.number}")
        return await register_node(self.steward, system, port=20_000 + self.number)

    @rule()
    def record(self) -> None:
        """What the asset's gate asks for is recorded."""
        if self.is_drive:
            made = self.wait(name_document(self.steward, self.asset, CERTIFICATE, "certificate"))
            self.good.setdefault(CERTIFICATE, made["id"])
        else:
            answer = self.wait(give_evidence(self.steward, self.asset, kind=WORD, statement=STATEMENT))
            assert answer.status_code == (409 if self.state == "closed" else 201)
            if answer.status_code == 201:
                self.good.setdefault(WORD, answer.json()["id"])

    @rule(signer=st.sampled_from(["anna", "admin"]))
    def validate(self, signer: str) -> None:
        """An approver validates the certificate: not where there is none, and not who has recorded it."""
        if not self.is_drive:
            return
        answer = self.wait(say(self.steward, self.asset, VALIDATED, "approver", signer, None))
        may = CERTIFICATE in self.good and signer == "anna"
        assert answer.status_code == (201 if may else 409), answer.text
        if may:
            self.good.setdefault(VALIDATED, answer.json()["id"])

    @rule()
    def revoke_all(self) -> None:
        """All that stands is taken back."""
        shown = self.wait(self.steward.admin.get(f"{ASSETS}/{self.asset['id']}/evidence")).json()["items"]
        for one in shown:
            if one["revoked_at"] is None:
                assert self.wait(revoke(self.steward, one["id"])).status_code == 200
        self.good.clear()

    @rule(kind=st.sampled_from([CERTIFICATE, VALIDATED, WORD, "custody_chain", "no_dependents"]))
    def ask_for_a_waiver(self, kind: str) -> None:
        """Nobody approves it: it changes nothing."""
        body = {"kind": kind, "reason": "in a hurry", "expires_at": "2100-01-01T00:00:00Z"}
        answer = self.wait(self.steward.admin.post(f"{ASSETS}/{self.asset['id']}/waivers", json=body))
        assert answer.status_code in (409, 422)

    @rule(to=st.sampled_from(STATES))
    def move(self, to: LifecycleState) -> None:
        """A move is asked for, as likely as not one that can't be."""
        answer = self.wait(ask_move(self.steward, self.asset, to))
        assert (answer.status_code == 200) == self.may(to), (self.state, to, answer.text)
        if answer.status_code == 200:
            self.arrive(to)
        else:
            assert answer.status_code == 409
            assert answer.json()["missing"]

    @rule()
    def move_on(self) -> None:
        """The next step towards the end is asked for, twice at once: at most one is made."""
        to = MOVES.get(self.state, ("closed",))[-1] if self.state != "retiring" else "migrated"

        async def both() -> list[int]:
            answers = await asyncio.gather(*(ask_move(self.steward, self.asset, to) for _ in range(2)))
            return sorted(answer.status_code for answer in answers)

        statuses = self.wait(both())
        if self.may(to):
            assert statuses in ([200, 409], [200, 412]), statuses
            self.arrive(to)
        else:
            assert statuses == [409, 409], statuses

    def may(self, to: LifecycleState) -> bool:
        """Whether paper says that the asset may move there."""
        if to not in MOVES.get(self.state, ()):
            return False
        if (self.state, to) == ("isolated", "sanitized") and self.is_drive:
            return {CERTIFICATE, VALIDATED} <= self.good.keys()
        if (self.state, to) == ("migrated", "isolated") and not self.is_drive:
            return WORD in self.good
        # Nobody has taken the drive anywhere: it never leaves the house.
        return not (self.is_drive and to == "disposed")

    def arrive(self, to: LifecycleState) -> None:
        """The move is made; what somebody said before is said no more."""
        self.state = to
        self.good.pop(WORD, None)

    @invariant()
    def service_agrees(self) -> None:
        """What the service shows is the state of the model."""
        if hasattr(self, "asset"):
            shown = self.wait(self.steward.admin.get(f"{ASSETS}/{self.asset['id']}")).json()
            assert shown["state"] == self.state


async def test_no_path_over_http_gets_around_a_gate(steward: Harness) -> None:
    """A few hundred requests, chosen by chance and shrunk where they find a fault."""
    Walk.steward, Walk.loop = steward, asyncio.get_running_loop()
    few = settings(
        max_examples=12, stateful_step_count=18, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    await asyncio.to_thread(run_state_machine_as_test, Walk, settings=few)
