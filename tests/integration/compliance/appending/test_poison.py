"""No message stops the log: what can't become an entry lies aside, and the rest goes on."""

import asyncio

import pytest

from services.compliance.log import writer
from shared.bus import Message
from shared.bus.postgres import PostgresBus
from shared.database import Pool
from tests.integration.compliance.appending.checking import check_log
from tests.integration.compliance.appending.stage import TOPIC, Source, Stage
from tests.integration.compliance.appending.test_crashes import all_read
from tests.news import until

DATA = b'"data":{'
POISON = (
    (DATA, DATA + b'"system_id":1e999,'),
    (DATA, DATA + b'"unknown":' + b"[" * 900 + b"]" * 900 + b","),
    (DATA, DATA + b'"unknown":' + b"9" * 5000 + b","),
    (DATA, DATA + b'"unknown":"\\ud800",'),
    (b'"time":"20', b'"time":"00'),
)


async def read_past(stage: Stage, pool: Pool, bus: PostgresBus, source: Source, *changes: tuple[bytes, bytes]) -> None:
    """Has a writer read events, a message for each change to the last of them, and events again."""
    await source.publish(20)
    async with bus.publisher("probes") as publisher:
        for number, change in enumerate(changes):
            await publisher.publish([Message(TOPIC, f"archive-{number}", source.published[-1].replace(*change, 1))])
    await source.publish(20)
    writing = asyncio.create_task(stage.writer(pool, bus).run())
    try:
        await all_read(pool, 40)
        await until(pool, "SELECT count(*) >= $1 FROM quarantine", len(changes))
        assert not writing.done()
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


async def test_messages_that_no_entry_can_be_made_of_lie_aside(
    database: str, stage: Stage, pool: Pool, bus: PostgresBus, source: Source
) -> None:
    """Numbers beyond all bounds, nesting without end, halves of characters, times before all calendars."""
    await read_past(stage, pool, bus, source, *POISON)
    assert sorted((await check_log(database)).heard) == sorted(source.published)


async def test_events_of_more_sites_than_the_index_has_numbers_for_lie_aside(
    database: str, stage: Stage, pool: Pool, bus: PostgresBus, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it has three: for north, south and the group."""
    monkeypatch.setattr(writer, "MAX_SITES", 3)
    await read_past(stage, pool, bus, source, *((b'"siteid":"', b'"siteid":"%s-' % n) for n in (b"a", b"b")))
    reasons = await pool.fetch("SELECT reason FROM quarantine")
    assert all("one too many" in row["reason"] for row in reasons)
    assert sorted((await check_log(database)).heard) == sorted(source.published)
