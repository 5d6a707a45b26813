"""An agent spares its targets as the service does, and goes by a clock that may be set."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from services.probes.agents.domain import Assignment, Brought, Errand
from services.probes.kinds.domain import Kind, Observation
from services.probes.vantage.work import Roster, _sleep_until


class Nothing(BaseModel):
    """No settings."""


class Slow(Kind[Nothing]):
    """Waits a while for a crowd that never comes, and knows how many wait at the same time."""

    name = "dicom-find"
    summary = "Waits."
    settings = Nothing
    under_way = 0
    most = 0
    crowd = asyncio.Event()

    async def run(self, settings: Nothing, timeout: float) -> Observation:
        """For a moment that others could use."""
        Slow.under_way += 1
        Slow.most = max(Slow.most, Slow.under_way)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await Slow.crowd.wait()
        Slow.under_way -= 1
        return Observation("ok", None, "It waited.")


KINDS: Mapping[str, Kind[Any]] = {name: Slow() for name in ("dicom-find", "dicom-roundtrip", "tcp")}


def assigned(kind: str, subject: str) -> Assignment:
    """A probe that is due all the time."""
    return Assignment(
        probe_id=f"{kind}:{subject}",
        kind=kind,
        subject=subject,
        site_id="north",
        system_id=None,
        is_heavy=False,
        settings={},
        interval_seconds=0.2,
        retry_interval_seconds=0.2,
        timeout_seconds=0.2,
    )


async def most_at_once(*work: Assignment, concurrency: int = 100) -> int:
    """How many runs were under way together while each probe was run three times at least."""
    Slow.most, Slow.crowd = 0, asyncio.Event()
    seen: dict[str, int] = {}
    is_enough = asyncio.Event()

    def keep(result: Brought) -> None:
        if result.outcome == "ok":
            seen[result.probe_id] = seen.get(result.probe_id, 0) + 1
        if len(seen) == len(work) and min(seen.values()) >= 3:
            is_enough.set()

    roster = Roster(KINDS, keep, concurrency)
    roster.follow(list(work))
    try:
        async with asyncio.timeout(30):
            await is_enough.wait()
    finally:
        await roster.stop()
        Slow.under_way = 0
    return Slow.most


async def test_a_target_is_asked_one_thing_of_a_family_at_a_time() -> None:
    """Two kinds that speak DICOM take turns at one target, and don't at two."""
    both = ("dicom-find", "dicom-roundtrip")
    assert await most_at_once(*(assigned(kind, "pacs") for kind in both)) == 1
    assert await most_at_once(assigned("dicom-find", "pacs"), assigned("tcp", "pacs")) == 2


async def test_no_more_runs_are_under_way_than_are_set() -> None:
    """However many targets there are."""
    work = [assigned("tcp", f"node {number}") for number in range(12)]
    assert await most_at_once(*work, concurrency=3) == 3


async def test_who_waits_for_a_clock_that_is_set_back_waits_no_longer() -> None:
    """What is due in a year was due by a clock that was a year ahead."""
    minute = timedelta(minutes=1)
    async with asyncio.timeout(5):
        assert not await _sleep_until(datetime.now(UTC) + timedelta(days=365), asyncio.Event(), minute)


def errand(number: int, subject: str, **more: Any) -> Errand:
    """An item of a suite that has an hour."""
    told: dict[str, Any] = {
        "id": f"suite-item:run:{number}",
        "kind": "dicom-find",
        "subject": subject,
        "site_id": "north",
        "system_id": "system",
        "is_heavy": False,
        "settings": {},
        "timeout_seconds": 5,
        "deadline": datetime.now(UTC) + timedelta(hours=1),
    }
    return Errand(**told | more)


async def answers(*given: list[Errand], answered: tuple[str, ...] = (), until: int) -> list[str]:
    """The errands that were answered, in their order, when these lists were given one after the other."""
    Slow.most, Slow.crowd = 0, asyncio.Event()
    seen: list[str] = []
    is_enough = asyncio.Event()

    def keep(result: Brought) -> None:
        seen.append(result.probe_id)
        if len(seen) >= until:
            is_enough.set()

    roster = Roster(KINDS, keep, 100)
    try:
        for errands in given:
            roster.carry_out(errands, answered)
        async with asyncio.timeout(30):
            await is_enough.wait()
    finally:
        await roster.stop()
        Slow.under_way = 0
    return seen


async def test_an_errand_is_carried_out_once_however_often_it_is_given() -> None:
    """Until the service has its answer it stands in every list of work; what waits in the spool is not asked again."""
    work = [errand(number, f"node {number}") for number in range(3)]
    seen = await answers(work, work, work, answered=(work[1].id,), until=2)
    assert sorted(seen) == [work[0].id, work[2].id]


async def test_errands_spare_a_target_as_probes_do() -> None:
    """One thing of a family at a time, and one heavy run at a system."""
    await answers([errand(1, "pacs"), errand(2, "pacs", kind="dicom-roundtrip")], until=2)
    assert Slow.most == 1
    await answers([errand(1, "a", is_heavy=True), errand(2, "b", is_heavy=True)], until=2)
    assert Slow.most == 1
    await answers([errand(1, "a"), errand(2, "b")], until=2)
    assert Slow.most == 2


async def test_an_errand_that_has_no_time_left_or_is_not_wanted_any_more_is_not_begun_or_ended() -> None:
    """The service has told it as not run."""
    over = errand(1, "a", deadline=datetime.now(UTC))
    dropped, wanted = errand(2, "b"), errand(3, "c")
    assert await answers([over, dropped, wanted], [over, wanted], until=1) == [wanted.id]
