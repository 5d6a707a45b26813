"""Puts events on the bus as the services would, and awaits their arrival in the log."""

import types
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import count
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel

from services.compliance.__main__ import build
from services.compliance.settings import ComplianceSettings
from shared.bus import Message
from shared.bus.postgres import PostgresBus
from shared.events import EventData, encode_unsequenced, with_sequence
from shared.transactions import new_id
from tests.harness import Harness
from tests.news import until

COMPLIANCE: dict[str, Any] = {"compliance": (build, ComplianceSettings, {})}
AUDITOR = ("auditor:*",)


def sample_of(annotation: Any) -> Any:
    """Some value that the annotation allows."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return sample_of(arguments[0])
    if origin is Literal:
        return arguments[0]
    if origin is list:
        return [sample_of(arguments[0])]
    if origin is dict:
        return {sample_of(arguments[0]): sample_of(arguments[1])}
    if origin is tuple:
        return tuple(sample_of(argument) for argument in arguments if argument is not ...)
    if hasattr(annotation, "__metadata__"):
        return sample_of(annotation.__origin__)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation(**{name: sample_of(field.annotation) for name, field in annotation.model_fields.items()})
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    plain = {str: "sample", int: 1, float: 1.5, bool: True, AwareDatetime: moment, date: moment.date()}
    return "sample" if annotation is Any else plain[annotation]


class Sender:
    """The producer of events under a service's name, in the place of its relay."""

    def __init__(self, bus: PostgresBus, service: str) -> None:
        self._bus = bus
        self._service = service
        self._sequence = count(1)

    def event(
        self, data: EventData, *, site_id: str = "north", subject: str = "archive", actor: str = "alice"
    ) -> bytes:
        """The exact bytes of an event that happens now."""
        return with_sequence(
            encode_unsequenced(
                data,
                event_id=new_id(),
                source=f"/services/{self._service}",
                subject=subject,
                time=datetime.now(UTC),
                site_id=site_id,
                actor=actor,
                correlation_id=f"flow-{actor}",
                causation_id=None,
                traceparent=None,
            ),
            next(self._sequence),
        )

    async def send(self, topic: str, raws: Sequence[bytes], key: str = "archive") -> None:
        """Publishes messages as they are."""
        async with self._bus.publisher(self._service) as publisher:
            await publisher.publish([Message(topic, key, raw) for raw in raws])


async def until_size(steward: Harness, size: int) -> None:
    """Returns when the log has that many entries."""
    await until(steward.pools["compliance"], "SELECT size >= $1 FROM head", size)
