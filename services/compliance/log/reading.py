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
from shared.events import CONTRACTS, MAX_EVENT_BYTES, EventData
from shared.events.envelope import Envelope, check_envelope, read_data, read_envelope

_PLAIN: dict[object, Any] = {
    **{kind: kind for kind in (str, bool, int, float, NoneType)},
    AwareDatetime: Annotated[datetime, msgspec.Meta(tz=True)],
}
_UNIONS = (Union, UnionType)
_JOINED = (list, dict, tuple)
_FORM: Any = {"kw_only": True, "frozen": True, "gc": False}


def read_arrival(raw: bytes, *, topic: str, now: datetime) -> Arrival:
    """A message of ``topic`` as what the log appends. Raises Unreadable with the field and the rule that it breaks."""
    read_quickly = quick_reader(topic)
    if read_quickly is not None and len(raw) <= MAX_EVENT_BYTES:
        try:
            # What msgspec passes over it does not check for its encoding.
            raw.decode()
            quick = read_quickly(raw)
        except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
            pass
        else:
            check_envelope(quick, now)
            return Arrival(raw, quick, cast(Told, quick.data))
    envelope, contract = read_envelope(raw, topic=topic, now=now)
    read_data(envelope, contract)
    return Arrival(raw, envelope, read_told(envelope.data))


@cache
def quick_reader(topic: str) -> Callable[[bytes], Envelope] | None:
    """A reader of the topic's events, envelope and data in one, with the ``data`` as Told.

    It takes what the envelope and the contract take, or less: what it refuses, they decide on. It needs a third of
    their time. None where the contract has rules that are not known here.
    """
    contract = CONTRACTS.get(topic)
    if contract is None or (data := _quick_data(contract)) is None:
        return None
    members = [("type", Literal[topic]), ("dataschema", Literal[contract.dataschema()]), ("data", data)]
    struct = msgspec.defstruct(f"{contract.__name__}Event", members, bases=(Envelope,), **_FORM)
    return cast(Callable[[bytes], Envelope], msgspec.json.Decoder(struct).decode)


def _quick_data(contract: type[EventData]) -> type[Told] | None:
    rules = contract.__pydantic_decorators__
    if any(getattr(rules, kind.name) for kind in fields(rules)):
        return None
    try:
        # What is not there is None, as in Told, whatever default the contract has.
        members = [
            (name, _quick_type(field)) if field.is_required() else (name, _quick_type(field), None)
            for name, field in contract.model_fields.items()
        ]
        struct = msgspec.defstruct(contract.__name__, members, bases=(Told,), **_FORM)
        msgspec.json.Decoder(struct)
    except TypeError:
        return None
    return cast(type[Told], struct)


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
