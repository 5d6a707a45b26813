"""Events to measure with: about 600 bytes each on the wire, over many subjects, as inventory tells of people."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from shared.bus import Message
from shared.database import Pool
from shared.events import with_sequence
from shared.events.inventory import PersonChanged
from shared.transactions import begin

T = TypeVar("T")

SUBJECTS = 500
PER_TRANSACTION = 500
TOPIC = PersonChanged.event_type


def person(number: int) -> PersonChanged:
    """An event's data; with its envelope it makes about 600 bytes."""
    return PersonChanged(
        name=f"Ada Berg {number}",
        email=f"ada.berg.{number}@radiology.north.example.org",
        roles=["clinician"],
        active=True,
        version=number + 1,
    )


async def fill_outbox(pool: Pool, service: str, count: int) -> None:
    """Records ``count`` events as handlers do, some hundred in a transaction."""
    for start in range(0, count, PER_TRANSACTION):
        async with begin(pool, service, actor="person:benchmark") as tx:
            for number in range(start, min(start + PER_TRANSACTION, count)):
                tx.record(person(number), subject=f"person-{number % SUBJECTS}", site_id="north")


async def stored_messages(pool: Pool) -> list[Message]:
    """The outbox's events as the relay will put them on the bus."""
    rows = await pool.fetch("SELECT topic, key, body FROM outbox ORDER BY id")
    return [Message(t, k, with_sequence(body, n)) for n, (t, k, body) in enumerate(rows, start=1)]


def mean_bytes(messages: Sequence[Message]) -> float:
    """Bytes a message."""
    return sum(len(message.value) for message in messages) / len(messages)


def in_pieces(items: Sequence[T], size: int = 1_000) -> Iterator[Sequence[T]]:
    """The items, ``size`` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
