"""What waits for work is woken by the database, by time, or by the loss of its connection."""

import asyncio

import pytest

from shared.errors import Unavailable
from shared.waking import listening, wait_at_most
from tests.conftest import execute
from tests.integration.conftest import login

CHANNEL = "steward_test"


@pytest.fixture
def dsn(database: str) -> str:
    """The database as inventory's role sees it."""
    return login(database, "steward_inventory")


async def test_a_notification_wakes(dsn: str, database: str) -> None:
    """One that came before the wait began does too, since the event is cleared before work is looked for."""
    async with listening(dsn, "inventory", CHANNEL) as listener:
        await execute(database, f"SELECT pg_notify('{CHANNEL}', '')")
        await listener.wait()
        listener.woken.clear()
        waiting = asyncio.create_task(listener.wait())
        await execute(database, f"SELECT pg_notify('{CHANNEL}', '')")
        await waiting


async def test_without_news_time_wakes(dsn: str) -> None:
    """A time that is over lets nobody wait."""
    async with listening(dsn, "inventory", CHANNEL) as listener:
        await listener.wait(0.01)
        await listener.wait(-1)
        assert not listener.woken.is_set()


async def test_a_lost_connection_wakes_and_says_so(dsn: str, database: str) -> None:
    """Nobody waits on a connection that will never bring news again."""
    woken = asyncio.Event()
    async with listening(dsn, "inventory", CHANNEL, woken) as listener:
        await execute(
            database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'steward-test'",
        )
        with pytest.raises(Unavailable):
            await listener.wait()
        assert woken.is_set()


async def test_being_told_to_stop_at_the_moment_of_the_news_is_not_lost() -> None:
    """The cancellation wins over the event that is set in the same step."""
    woken = asyncio.Event()
    waiting = asyncio.create_task(wait_at_most(woken, 60))
    await asyncio.sleep(0)
    woken.set()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
