"""One run of a kind, whoever asks: what is our own fault is told, and our own end is one."""

import asyncio

import pytest
from pydantic import BaseModel

from services.probes.kinds.domain import Kind, Observation
from services.probes.kinds.making import Maker


class Nothing(BaseModel):
    """No settings."""


class Broken(Kind[Nothing]):
    """A kind whose library ends in an odd way."""

    name = "broken"
    summary = "Raises what it is told to raise."
    settings = Nothing

    def __init__(self, fault: BaseException) -> None:
        self._fault = fault

    async def run(self, settings: Nothing, timeout: float) -> Observation:
        """Raises."""
        raise self._fault


@pytest.mark.parametrize("fault", [ValueError("odd"), asyncio.CancelledError()])
async def test_a_fault_of_a_kind_ends_no_probing(fault: BaseException) -> None:
    """Neither an exception, nor a library that cancels a future of its own."""
    seen = await Maker({"broken": Broken(fault)}).make("broken", "north", {}, 5, probe="broken:1")
    assert (seen.outcome, seen.failure) == ("probe_error", "internal")


async def test_our_own_end_is_passed_on() -> None:
    """Whoever cancels a run gets its task ended."""

    class Slow(Broken):
        async def run(self, settings: Nothing, timeout: float) -> Observation:
            await asyncio.Event().wait()
            raise AssertionError

    making = asyncio.create_task(Maker({"broken": Slow(ValueError())}).make("broken", "north", {}, 5))
    done, _ = await asyncio.wait([making], timeout=0)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert not done


async def test_a_kind_that_is_not_here_is_told() -> None:
    """By the place where it is missing."""
    seen = await Maker({}, "agent").make("tcp", "north", {}, 5)
    assert seen.detail == "This agent has no probe of the kind tcp."
