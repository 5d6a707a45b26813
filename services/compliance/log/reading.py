"""Reads what came over the bus: an event that keeps its contract, or the reason why it is none."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
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
from shared.errors import Unreadable
from shared.events import CONTRACTS, EventData
from shared.events.envelope import (
    EARLIEST,
    MAX_CLOCK_LEAD,
    SEQUENCE_DIGITS,
    Envelope,
    check_envelope,
    read_data,
    read_envelope,
)

_PLAIN: dict[object, Any] = {
    **{kind: kind for kind in (str, bool, int, float, NoneType)},
    AwareDatetime: Annotated[datetime, msgspec.Meta(tz=True)],
}
_UNIONS = (Union, UnionType)
_JOINED = (list, dict, tuple)
_FORM: Any = {"kw_only": True, "frozen": True, "gc": False, "forbid_unknown_fields": True}
_UNREAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

MAX_DEPTH = 100
"""How deep an event may be nested. Every reader of an entry has its own limit; this lies far below all of them."""

MAX_DIGITS = 4300
"""How long a number may be, for the same reason: Python reads none that is longer."""

_TOKENS = re.compile(rb'"(?:[^"\\]+|\\.)*"|[\[{]|[\]}]|[0-9]{%d,}' % (MAX_DIGITS + 1), re.DOTALL)
_STEPS = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def read_arrivals(raws: Sequence[bytes], *, topic: str, now: datetime) -> Sequence[Arrival | Unreadable]:
    """What `read_arrival` says of each; those that are all as services make them are judged together."""
    read_quickly = quick_reader(topic)
    if read_quickly is not None and max(map(len, raws)) <= MAX_DIGITS:
        try:
            envelopes = list(map(read_quickly, raws))
            _check_envelopes(envelopes, now)
        except (*_UNREAD, Unreadable):
            pass
        else:
            return list(map(Arrival, raws, envelopes, [cast(Told, envelope.data) for envelope in envelopes]))
    return [_judge(raw, topic, now) for raw in raws]


def _check_envelopes(envelopes: Sequence[Envelope], now: datetime) -> None:
    """Raises Unreadable unless `check_envelope`, which asks for these four members, passes each."""
    for of_one_site in {(one.source, one.siteid): one for one in envelopes}.values():
        check_envelope(of_one_site, now)
    sequences, times = [one.sequence for one in envelopes], [one.time for one in envelopes]
    digits = "".join(sequences)
    are_sequences = {*map(len, sequences)} == {SEQUENCE_DIGITS} and digits.isdecimal() and digits.isascii()
    if not are_sequences or max(times) - now > MAX_CLOCK_LEAD or min(times) < EARLIEST:
        raise Unreadable("one of these")


def _judge(raw: bytes, topic: str, now: datetime) -> Arrival | Unreadable:
    try:
        return read_arrival(raw, topic=topic, now=now)
    except Unreadable as exc:
        return exc


def read_arrival(raw: bytes, *, topic: str, now: datetime) -> Arrival:
    """A message of ``topic`` as what the log appends. Raises Unreadable with the field and the rule that it breaks.

    What it takes can be read again by whoever reads the entry, also in members that no contract knows.
    """
    read_quickly = quick_reader(topic)
    if read_quickly is not None and len(raw) <= MAX_DIGITS:
        with suppress(*_UNREAD):
            quick = read_quickly(raw)
            check_envelope(quick, now)
            return Arrival(raw, quick, cast(Told, quick.data))
    arrival = _read(raw, topic, now)
    if len(raw) > MAX_DIGITS or raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _check_form(raw)
    return arrival


def _check_form(raw: bytes) -> None:
    """Raises Unreadable for JSON that not every reader takes."""
    depth = 0
    for match in _TOKENS.finditer(raw):
        token = match.group()
        depth += _STEPS.get(token, 0)
        if depth > MAX_DEPTH:
            raise Unreadable(f"the message is nested more than {MAX_DEPTH} deep")
        if token[0] in b"0123456789":
            raise Unreadable(f"the message has a number of more than {MAX_DIGITS} digits")


def _read(raw: bytes, topic: str, now: datetime) -> Arrival:
    envelope, contract = read_envelope(raw, topic=topic, now=now)
    read_data(envelope, contract)
    try:
        return Arrival(raw, envelope, read_told(envelope.data))
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise Unreadable(f"data: {exc}") from exc


@cache
def quick_reader(topic: str) -> Callable[[bytes], Envelope] | None:
    """A reader of the topic's events, envelope and data in one, with the ``data`` as Told.

    It takes what the envelope and the contract take, or less: what it refuses, they decide on. It needs a third of
    their time. It passes nothing over, so that it has seen each character, and no member goes deeper than its type:
    one that the contract does not know, it refuses. None where the contract has rules that are not known here.
    """
    contract = CONTRACTS.get(topic)
    if contract is None or (data := _quick_data(contract)) is None:
        return None
    members: list[Any] = [
        ("type", Literal[topic]),
        ("dataschema", Literal[contract.dataschema()]),
        ("data", data),
        ("datacontenttype", str | None, None),
    ]
    struct = msgspec.defstruct(f"{contract.__name__}Event", members, bases=(Envelope,), **_FORM)
    return cast(Callable[[bytes], Envelope], msgspec.json.Decoder(struct).decode)


def _quick_data(contract: type[EventData]) -> type[Told] | None:
    rules = contract.__pydantic_decorators__
    if any(getattr(rules, kind.name) for kind in fields(rules)):
        return None
    try:
        # What is not there is None, as in Told, whatever default the contract has.
        members: list[Any] = [
            (name, None, None) for name in Told.__struct_fields__ if name not in contract.model_fields
        ]
        members += [
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
