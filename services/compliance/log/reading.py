"""Reads what came over the bus: an event that keeps its contract, or the reason why it is none."""

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import msgspec
from pydantic import AwareDatetime, PlainSerializer
from pydantic.fields import FieldInfo

from services.compliance.log.domain import Arrival
from services.compliance.log.index import Told, read_told
from shared.events import EventData
from shared.events.envelope import Envelope, read_data, read_envelope

_PLAIN: dict[object, Any] = {
    **{kind: kind for kind in (str, bool, int, float, NoneType)},
    AwareDatetime: Annotated[datetime, msgspec.Meta(tz=True)],
}
_UNIONS = (Union, UnionType)
_JOINED = (list, dict, tuple)


def read_arrival(raw: bytes, *, topic: str, now: datetime) -> Arrival:
    """A message of ``topic`` as what the log appends. Raises Unreadable with the field and the rule that it breaks."""
    envelope, contract = read_envelope(raw, topic=topic, now=now)
    return Arrival(raw, envelope, _read_told(envelope, contract))


def _read_told(envelope: Envelope, contract: type[EventData]) -> Told:
    quickly = quick_reader(contract)
    if quickly is not None:
        try:
            return quickly(envelope.data)
        except msgspec.MsgspecError:
            pass
    read_data(envelope, contract)
    return read_told(envelope.data)


@cache
def quick_reader(contract: type[EventData]) -> Callable[[msgspec.Raw], Told] | None:
    """A reader that takes what the contract takes, or less: what it refuses, the contract decides on.

    It needs a third of the time. None where the contract has rules that are not known here.
    """
    if any(getattr(contract.__pydantic_decorators__, rule.name) for rule in fields(contract.__pydantic_decorators__)):
        return None
    try:
        # What is not there is None, as in Told, whatever default the contract has.
        members = [
            (name, _quick_type(field)) if field.is_required() else (name, _quick_type(field), None)
            for name, field in contract.model_fields.items()
        ]
        struct = msgspec.defstruct(contract.__name__, members, bases=(Told,), kw_only=True, frozen=True, gc=False)
        return cast(Callable[[msgspec.Raw], Told], msgspec.json.Decoder(struct).decode)
    except TypeError:
        return None


class _Unknown(TypeError):
    """A field has a type or a rule that is not known here; msgspec says so in the same way."""


def _quick_type(field: FieldInfo) -> Any:
    if field.alias is not None or not all(isinstance(rule, PlainSerializer) for rule in field.metadata):
        raise _Unknown
    return _quick(field.annotation)


def _quick(annotation: Any) -> Any:
    """The type that msgspec reads no more for than pydantic reads for this one."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return annotation
    if origin is Annotated and all(isinstance(rule, PlainSerializer) for rule in inner[1:]):
        return _quick(inner[0])
    if origin in _UNIONS:
        return Union[*map(_quick, inner)]
    if origin in _JOINED:
        return origin[*map(_quick, inner)]
    raise _Unknown
