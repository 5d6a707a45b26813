"""A form with one file (multipart/form-data, RFC 7578), read as it comes: to a file without a name, not to memory.

Whatever ends the request before its last byte, a refusal, a lost connection, a killed process, leaves nothing behind:
the file has no name, and goes with the process that has it open.
"""

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from shared.errors import Malformed, TooLarge, TooMany, TooSlow

FORM = "multipart/form-data"
FILE = "file"
MAX_FIELD = 16 * 1024
MAX_PARTS = 300
FORM_BYTES = 256 * 1024
"""What a form may hold beside its file."""

M = TypeVar("M", bound=BaseModel)
Look = Callable[[Mapping[str, Sequence[str]]], Awaitable[None]]
"""Looks at the fields of a form, each with its values, while its file is still to come."""


@dataclass(frozen=True)
class Limits:
    """How large a file may be, in bytes, and how long it may take, in seconds: between two pieces, and in all.

    ``at_once`` is how many uploads one process takes at the same time: they lie on its disk while they come.
    """

    file_bytes: int
    stall: float = 30.0
    total: float = 900.0
    at_once: int = 32

    @property
    def body_bytes(self) -> int:
        """How large the whole request may be."""
        return self.file_bytes + FORM_BYTES


@dataclass(frozen=True)
class Upload:
    """A form that came whole: its fields, and the file with its name as it was sent."""

    fields: dict[str, list[str]]
    file: IO[bytes]
    name: str
    size: int
    sha256: str

    @property
    def digest(self) -> str:
        """Stands for all that came: the fields, the name and the content."""
        told = json.dumps([sorted(self.fields.items()), self.name, self.sha256])
        return hashlib.sha256(told.encode()).hexdigest()

    def body(self, kind: type[M]) -> M:
        """The fields as a model, which names those that may come more than once by a list. Raises
        RequestValidationError."""
        many = {name for name, about in kind.model_fields.items() if "list" in str(about.annotation)}
        given: dict[str, Any] = {}
        for name, values in self.fields.items():
            filled = [value for value in values if value]
            if filled:
                given[name] = filled if name in many or len(filled) > 1 else filled[0]
        return validated(kind, given)


def validated(kind: type[M], given: dict[str, Any]) -> M:
    """A model of what a form told. Raises RequestValidationError, as a body in JSON would."""
    try:
        return kind.model_validate(given)
    except ValidationError as exc:
        raise RequestValidationError([_told(fault, example_of(kind)) for fault in exc.errors()]) from exc


def example_of(kind: type[BaseModel]) -> dict[str, Any]:
    """The example that a model shows, if it shows one."""
    shown: Any = kind.model_config.get("json_schema_extra") or {}
    example: dict[str, Any] = (shown.get("examples") or [{}])[0]
    return example


def _told(fault: Mapping[str, Any], example: Mapping[str, Any]) -> dict[str, Any]:
    place = fault["loc"]
    shown = {"example": example[place[0]]} if place and place[0] in example else {}
    return {**fault, "loc": ("form", *place), "ctx": {**shown, **fault.get("ctx", {})}}


class Intake:
    """Takes the uploads of one process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open = 0

    @asynccontextmanager
    async def received(self, request: Request, look: Look) -> AsyncIterator[Upload]:
        """The form of a request, once all of it is here; its file is gone when the block ends.

        ``look`` sees the fields that stand before the file, and what it raises ends the request before the file came.
        Raises Malformed, TooLarge as soon as the file passes its limit, TooSlow, and TooMany before anything is read.
        """
        if self._open >= self._limits.at_once:
            raise TooMany(f"{self._open} uploads are under way; try again in some seconds", retry_after_seconds=5)
        self._open += 1
        try:
            with TemporaryFile() as file:
                yield await _receive(request, file, self._limits, look)
        finally:
            self._open -= 1


async def _receive(request: Request, file: IO[bytes], limits: Limits, look: Look) -> Upload:
    form = _Form(file, limits.file_bytes)
    try:
        parser = MultipartParser(_boundary(request), form.callbacks())
        async with asyncio.timeout(limits.total):
            await _feed(request, parser, form, limits.stall, look)
    except TimeoutError as exc:
        raise TooSlow(f"the form stopped coming for {limits.stall:g} s, or took over {limits.total:g} s") from exc
    except (FormParserError, ClientDisconnect) as exc:
        raise _not_whole() from exc
    return form.upload()


async def _feed(request: Request, parser: MultipartParser, form: "_Form", stall: float, look: Look) -> None:
    stream = aiter(request.stream())
    is_seen = False
    while True:
        async with asyncio.timeout(stall):
            piece = await anext(stream, None)
        if piece is None:
            return
        parser.write(piece)
        if form.name is not None and not is_seen:
            is_seen = True
            await look(form.fields)


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != FORM.encode() or not 1 <= len(boundary) <= 70:
        raise Malformed("Content-Type", f"must be {FORM} with a boundary", "what `curl --form` sends")
    return boundary


def _not_whole() -> Malformed:
    return Malformed("body", "must be a whole form of fields and one file", "what `curl --form file=@manual.pdf` sends")


@dataclass
class _Form:
    """Takes the parser's news: fields into memory, the file to disk and through SHA-256."""

    file: IO[bytes]
    file_bytes: int
    fields: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    name: str | None = None
    size: int = 0
    parts: int = 0
    is_whole: bool = False
    _digest: Any = field(default_factory=hashlib.sha256)
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _part: str = ""
    _text: bytearray = field(default_factory=bytearray)

    def callbacks(self) -> Any:
        """What the parser calls, under its own names."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._take,
            "on_part_end": self._close,
            "on_end": lambda: setattr(self, "is_whole", True),
        }

    def upload(self) -> Upload:
        """What has come. Raises Malformed unless it is whole and has its file."""
        if not self.is_whole:
            raise _not_whole()
        if self.name is None:
            raise Malformed(FILE, "is missing", "--form file=@manual.pdf")
        self.file.flush()
        return Upload(dict(self.fields), self.file, self.name, self.size, self._digest.hexdigest())

    def _begin(self) -> None:
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise Malformed("body", f"must have at most {MAX_PARTS} parts", "one file and its fields")
        self._headers.clear()
        self._text.clear()

    def _end_header(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _open(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        if kind != b"form-data":
            raise _not_whole()
        self._part = _text_of(options.get(b"name", b""), "body")
        if self._part != FILE:
            return
        if self.name is not None:
            raise Malformed(FILE, "must be one file", "--form file=@manual.pdf")
        self.name = _text_of(options.get(b"filename", b""), FILE)

    def _take(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._part != FILE:
            self._text.extend(piece)
            if len(self._text) > MAX_FIELD:
                raise Malformed(self._part[:100] or "body", f"must have at most {MAX_FIELD} bytes", "a short text")
            return
        self.size += len(piece)
        if self.size > self.file_bytes:
            raise TooLarge(f"the file passes {self.file_bytes} bytes ({self.file_bytes / 2**20:.4g} MiB)")
        self._digest.update(piece)
        self.file.write(piece)

    def _close(self) -> None:
        if self._part != FILE:
            self.fields[self._part].append(_text_of(bytes(self._text), self._part[:100] or "body"))


def _text_of(raw: bytes, field_name: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as exc:
        raise Malformed(field_name, "must be text in UTF-8", "a text") from exc


def described(model: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a route that takes such a form, with an example of its fields."""
    schema = model.model_json_schema()
    properties = {**schema["properties"], FILE: {"type": "string", "format": "binary"}}
    required = [*schema.get("required", ()), FILE]
    shown = {"type": "object", "properties": properties, "required": required}
    return {"requestBody": {"required": True, "content": {FORM: {"schema": shown, "example": example_of(model)}}}}
