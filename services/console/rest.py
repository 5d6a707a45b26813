"""The one place that asks the other services, over their REST APIs, in the name of the person who looks."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from services.console.answers import One, Part
from shared import telemetry

T = TypeVar("T", bound=BaseModel)

Asked = str | int | Sequence[str] | None
"""What is asked of a parameter; of one that may be given several times, each. None leaves it out."""

PAGE = 500
MOST_PAGES = 4
_NO_ACCESS = "Your roles do not cover this"


@dataclass(frozen=True)
class StewardApi:
    """The services behind ``base_url``. With ``transport``, they are asked within this process, over no socket.

    ``seconds`` is how long a page waits for a service before it goes without.
    """

    base_url: str
    transport: httpx.AsyncBaseTransport | None = None
    seconds: float = 3.0
    _tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    @asynccontextmanager
    async def asking(self, token: str) -> AsyncIterator["Asking"]:
        """Questions in the name of who has the token."""
        headers = {"Authorization": f"Bearer {token}"}
        if traceparent := telemetry.traceparent():
            headers["traceparent"] = traceparent
        async with httpx.AsyncClient(
            base_url=self.base_url, headers=headers, transport=self.transport, verify=self._tls, trust_env=False
        ) as client:
            yield Asking(client, self.seconds)


@dataclass(frozen=True)
class Asking:
    """Asks for lists and things. Never raises for what a service does or fails to do: its part says so."""

    _client: httpx.AsyncClient
    _seconds: float

    async def page(self, path: str, kind: type[T], count: int, /, **query: Asked) -> Part[T]:
        """A page of a list, in its own order."""
        return await self.list(path, kind, limit=count, **query)

    async def list(self, path: str, kind: type[T], /, **query: Asked) -> Part[T]:
        """A list that has no pages."""
        answer = await self._get(path, _noun(path), query)
        if isinstance(answer, One):
            return Part(trouble=answer.trouble, is_denied=answer.is_denied)
        return _read_page(answer, path, kind)

    async def all(self, path: str, kind: type[T], /, **query: Asked) -> Part[T]:
        """A list, page by page, as far as anybody would read it."""
        items: tuple[T, ...] = ()
        trouble, cursor = None, None
        for _ in range(MOST_PAGES):
            part = await self.page(path, kind, PAGE, cursor=cursor, **query)
            items, trouble, cursor = items + part.items, part.trouble or trouble, part.next
            if cursor is None:
                return Part(items, trouble, part.is_denied)
        return Part(items, f"{_service(path)} has more {_noun(path)} than the first {len(items)} that are shown")

    async def one(self, path: str, kind: type[T], noun: str) -> One[T]:
        """One thing; ``noun`` is what people call it."""
        answer = await self._get(path, noun, {})
        if isinstance(answer, One):
            return One(trouble=answer.trouble, is_denied=answer.is_denied, is_absent=answer.is_absent)
        item = _parse(kind, _json(answer))
        return One(item, None if item else _unreadable(path, noun))

    async def _get(self, path: str, noun: str, query: Mapping[str, Asked]) -> httpx.Response | One[object]:
        asked = {name: value for name, value in query.items() if value is not None}
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._client.get(path, params=asked)
        except (httpx.HTTPError, TimeoutError, OSError):
            return One(trouble=f"{_service(path)} does not answer: its {noun} {_are(noun)} missing here")
        if answer.status_code in (401, 403):
            return One(trouble=_NO_ACCESS, is_denied=True)
        if answer.status_code != 200:
            trouble = f"{_service(path)} answered {answer.status_code}: its {noun} {_are(noun)} missing here"
            return One(trouble=trouble, is_absent=answer.status_code == 404)
        return answer


def _read_page(answer: httpx.Response, path: str, kind: type[T]) -> Part[T]:
    body = _json(answer)
    if not isinstance(body, dict) or not isinstance(body.get("items"), list):
        return Part(trouble=_unreadable(path, _noun(path)))
    items = [item for raw in body["items"] if (item := _parse(kind, raw)) is not None]
    following = body.get("next")
    part = Part(tuple(items), next=following if isinstance(following, str) else None)
    if left_out := len(body["items"]) - len(items):
        trouble = f"{_service(path)}: {left_out} of its {_noun(path)} can't be read and are left out"
        part = replace(part, trouble=trouble)
    return part


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _parse(kind: type[T], raw: object) -> T | None:
    try:
        return kind.model_validate(raw)
    except ValidationError:
        return None


def _unreadable(path: str, noun: str) -> str:
    return f"{_service(path)} gave an answer that can't be read: its {noun} {_are(noun)} missing here"


def _are(noun: str) -> str:
    return "are" if noun.endswith("s") or noun.startswith("ends ") else "is"


def _service(path: str) -> str:
    return path.split("/")[1].capitalize()


def _noun(path: str) -> str:
    return path.rpartition("/")[2].replace("-", " ")
