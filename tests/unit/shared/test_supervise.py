"""Work is kept going, whatever ends it, until the service itself ends."""

import asyncio

import pytest

from shared.supervise import Supervisor


@pytest.mark.parametrize("fault", [ValueError("broken"), OSError("away"), asyncio.CancelledError()])
async def test_work_that_ended_is_started_again(fault: BaseException) -> None:
    """A cancellation that nobody asked for, as a library may let one out, is a fault like others and no end."""
    supervisor, again = Supervisor("inventory"), asyncio.Event()
    faults = iter([fault])

    async def work() -> None:
        for told in faults:
            raise told
        again.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        kept = tasks.create_task(supervisor.keep_running("relay", work))
        await again.wait()
        assert list(supervisor.faults) == ["relay"]
        kept.cancel()
    assert kept.cancelled()


async def test_cancelled_keeper_ends_with_its_work() -> None:
    """Also while the work takes its time to end."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()

    kept = asyncio.create_task(Supervisor("inventory").keep_running("relay", work))
    await began.wait()
    kept.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([kept])
    assert kept.cancelled()
    assert ended.is_set()
