"""The guide for integrators shows an event that can be read and a consumer that keeps its promise."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from shared.bus.kafka import KafkaAccess, KafkaBus
from shared.bus.protocol import Message
from shared.events import Topic, decode, encode_unsequenced, with_sequence
from shared.events.inventory import AssetRetired
from tests.contract.docs.pages import pages
from tests.news import WAIT_SECONDS

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TOPIC = "guide.consumer"
"""A topic of this test's own: the broker is shared."""


def block(language: str) -> str:
    """The guide's one block of code in a language."""
    [guide] = [page for page in pages() if page.path == "docs/guides/integrator.md"]
    [shown] = guide.blocks(language)
    return shown


def test_shown_event_is_one() -> None:
    """It has every member that an envelope must have, and the data of its contract."""
    event = decode(block("json").encode(), topic=AssetRetired.event_type, now=NOW)
    assert isinstance(event.data, AssetRetired)


class Ledger:
    """What a reader of events would keep in its database."""

    def __init__(self, enough: int) -> None:
        self.applied: list[str] = []
        self.is_full = asyncio.Event()
        self._last: dict[object, int] = {}
        self._enough = enough

    def last_sequence(self, source: object) -> int:
        """The last sequence of a source that was applied."""
        return self._last.get(source, 0)

    def apply(self, event: dict[str, Any], source: object) -> None:
        """The effect, and the new last sequence."""
        self.applied.append(event["data"]["name"])
        self._last[source] = int(event["sequence"])
        if len(self.applied) == self._enough:
            self.is_full.set()


async def test_shown_consumer_applies_each_event_once(kafka: str) -> None:
    """Over a real broker: a batch that a relay repeats, and what came after it, take effect once and in order."""
    bus = KafkaBus(KafkaAccess(kafka))
    await bus.create_topics([Topic(TOPIC, 1, AssetRetired.topic.retention, compacted=False)])
    batch = [retired(number) for number in range(1, 4)]
    async with bus.publisher("guide") as publisher:
        for messages in (batch, batch, [retired(4)]):
            await publisher.publish(messages)
    shown: dict[str, Any] = {}
    exec(compile(block("python"), "docs/guides/integrator.md", "exec"), shown)  # noqa: S102 -- runs what the page shows
    ledger = Ledger(enough=4)
    following = asyncio.create_task(shown["follow"](kafka, [TOPIC], ledger))
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await ledger.is_full.wait()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert ledger.applied == ["node 1", "node 2", "node 3", "node 4"]


def retired(number: int) -> Message:
    """A message as inventory's relay would send it."""
    body = encode_unsequenced(
        AssetRetired(kind="node", name=f"node {number}", reason="replaced"),
        event_id=f"event {number}",
        source="/services/inventory",
        subject="one asset",
        time=NOW,
        site_id="north",
        actor="anna",
        correlation_id="night-17",
        causation_id=None,
        traceparent=None,
    )
    return Message(TOPIC, "one asset", with_sequence(body, number))
