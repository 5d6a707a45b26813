"""What lies one hop up, such as a host or a site's gateway, and the vantage itself: when they explain a failure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from services.probes.alerts.domain import AlertState

OUT_OF_REACH = frozenset({"dns", "refused", "unreachable", "timeout", "timeout_connect"})
"""The failures of something that nothing behind it can be reached through. What answers wrongly hides nothing."""

NO_ANSWER = OUT_OF_REACH - {"refused"}
"""The failures that our own network can be the reason of. A refusal is an answer of the target's host."""

MUTE = "timeout_answer"
"""All that a kind without connections sees of what is out of reach. Others have reached it."""

FEWEST, SHARE = 5, 0.9
VANTAGE_CHECK = "vantage"


def is_unanswered(failure: str | None, is_connectionless: bool) -> bool:
    """Whether our own network can be the reason of a failure."""
    return failure in NO_ANSWER or (failure == MUTE and is_connectionless)


@dataclass(frozen=True, slots=True)
class Reaching:
    """Where a check stands that asks whether its target can be reached.

    One that ``is_marked`` so by a person means it with every failure.
    """

    state: AlertState
    is_connectionless: bool = False
    is_marked: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the target is known to be out of reach, also where something keeps that from being told."""
        state = self.state
        return self._is_out and (state.is_open or state.is_held or state.suppressed_by is not None)

    @property
    def is_suspected(self) -> bool:
        """Whether its next results decide that."""
        return self._is_out and self.state.phase == "pending"

    @property
    def is_denied(self) -> bool:
        """Whether the target was reached, as far as is known."""
        return self.state.phase != "unknown" and not self.is_known and not self.is_suspected

    @property
    def _is_out(self) -> bool:
        state = self.state
        if state.phase == "ok":
            return False
        return self.is_marked or state.failure in OUT_OF_REACH or is_unanswered(state.failure, self.is_connectionless)


@dataclass(frozen=True, slots=True)
class Upper:
    """Something that others depend on, by its checks that ask whether it can be reached. Any other check hides nothing.

    It is down when one of them knows it and none has reached it.
    """

    asset_id: str
    checks: tuple[Reaching, ...]

    @property
    def is_down(self) -> bool:
        """Whether it is known to be out of reach."""
        return any(check.is_known for check in self.checks) and not any(check.is_denied for check in self.checks)

    @property
    def may_be_down(self) -> bool:
        """Whether that is undecided: one check has not reached it, and the next results of the others tell."""
        return not self.is_down and any(check.is_known or check.is_suspected for check in self.checks)


@dataclass(frozen=True, slots=True)
class Hold:
    """What one hop up makes of a failure: it is explained, or must wait until that is known."""

    suppressed_by: str | None = None
    is_waiting: bool = False


def hold_by(uppers: Iterable[Upper]) -> Hold:
    """What the uppers of a target make of its failure."""
    known = sorted(uppers, key=lambda upper: upper.asset_id)
    down = next((upper.asset_id for upper in known if upper.is_down), None)
    return Hold(down, any(upper.may_be_down for upper in known))


def uppers_of(subject: str, depends_on: Collection[str], own_network: Collection[str]) -> frozenset[str]:
    """The assets one hop up. All depends on our own network, but that on nothing."""
    return (
        frozenset(depends_on) - {subject}
        if subject in own_network
        else frozenset((*depends_on, *own_network)) - {subject}
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """How many addresses a vantage asked since some instant, and how many of them did not answer at all."""

    asked: int
    mute: int

    def __add__(self, other: "Reach") -> "Reach":
        return Reach(self.asked + other.asked, self.mute + other.mute)

    @property
    def is_cut_off(self) -> bool:
        """Whether it is rather the vantage that reaches nothing than so many targets that are down."""
        return self.mute >= FEWEST and self.mute >= SHARE * self.asked


def vantage_name(vantage: str) -> str:
    """What people are told of a vantage."""
    return f"Vantage {vantage}"


def vantage_id(vantage: str) -> str:
    """What stands for a vantage where a probe's or an asset's id stands otherwise."""
    return f"vantage:{vantage[:240]}"
