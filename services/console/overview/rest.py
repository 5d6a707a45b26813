"""The one place that asks the other services, over their REST APIs, in the name of the person who looks."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from services.console.overview.domain import (
    SHOWN_ENTRIES,
    Alert,
    Answers,
    Entry,
    Node,
    Part,
    Report,
    Run,
    Site,
    Standing,
    System,
    Target,
    Window,
)
from shared import telemetry

T = TypeVar("T", bound=BaseModel)

Asked = str | Sequence[str]
"""What is asked of a parameter; of one that may be given several times, each."""

AHEAD = timedelta(days=14)
PAGE = 500
MOST_PAGES = 4
ROUTINE = ("probe.result", "alert.transitioned", "log.manifest", "log.accessed")
"""Not shown of the audit trail: they would be all that one sees."""


@dataclass(frozen=True)
class StewardApi:
    """The services behind ``base_url``. With ``transport``, they are asked within this process, over no socket.

    ``seconds`` is how long a page waits for a service before it goes without.
    """

    base_url: str
    transport: httpx.AsyncBaseTransport | None = None
    seconds: float = 3.0
    _tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    async def ask(self, token: str, now: datetime) -> Answers:
        """Asks for all parts at once. Never raises for what a service does or fails to do: its part says so."""
        headers = {"Authorization": f"Bearer {token}"}
        if traceparent := telemetry.traceparent():
            headers["traceparent"] = traceparent
        async with httpx.AsyncClient(
            base_url=self.base_url, headers=headers, transport=self.transport, verify=self._tls, trust_env=False
        ) as client:
            return await self._ask(client, now)

    async def _ask(self, client: httpx.AsyncClient, now: datetime) -> Answers:
        soon = {"from": _wire(now), "to": _wire(now + AHEAD)}
        async with asyncio.TaskGroup() as group:
            sites = group.create_task(self._all(client, "/inventory/v1/sites", Site))
            systems = group.create_task(self._all(client, "/inventory/v1/systems", System))
            nodes = group.create_task(self._all(client, "/inventory/v1/nodes", Node))
            targets = group.create_task(self._all(client, "/probes/v1/targets", Target))
            alerts = group.create_task(self._all(client, "/probes/v1/alerts", Alert, open="true"))
            standings = group.create_task(self._all(client, "/probes/v1/standings", Standing))
            reports = group.create_task(self._all(client, "/probes/v1/reports", Report, state="open"))
            windows = group.create_task(self._all(client, "/maintenance/v1/windows", Window, **soon))
            runs = group.create_task(self._latest(client, "/backup/v1/runs", Run, PAGE))
            entries = group.create_task(
                self._latest(client, "/compliance/v1/events", Entry, SHOWN_ENTRIES, not_type=ROUTINE)
            )
        return Answers(
            sites=sites.result(),
            systems=systems.result(),
            nodes=nodes.result(),
            targets=targets.result(),
            alerts=alerts.result(),
            standings=standings.result(),
            reports=reports.result(),
            windows=windows.result(),
            runs=runs.result(),
            entries=entries.result(),
        )

    async def _latest(self, client: httpx.AsyncClient, path: str, kind: type[T], count: int, **query: Asked) -> Part[T]:
        """The newest items of a list that begins with them."""
        part, _ = await self._page(client, path, kind, {"limit": str(count), **query})
        return part

    async def _all(self, client: httpx.AsyncClient, path: str, kind: type[T], **query: str) -> Part[T]:
        items: tuple[T, ...] = ()
        trouble, cursor = None, None
        for _ in range(MOST_PAGES):
            asked = {"limit": str(PAGE), **query} | ({"cursor": cursor} if cursor else {})
            part, cursor = await self._page(client, path, kind, asked)
            items, trouble = items + part.items, part.trouble or trouble
            if cursor is None:
                return Part(items, trouble)
        return Part(items, f"{_service(path)} has more {_noun(path)} than the first {len(items)} that are shown")

    async def _page(
        self, client: httpx.AsyncClient, path: str, kind: type[T], query: Mapping[str, Asked]
    ) -> tuple[Part[T], str | None]:
        try:
            async with asyncio.timeout(self.seconds):
                answer = await client.get(path, params=query)
        except (httpx.HTTPError, TimeoutError, OSError):
            return Part(trouble=f"{_service(path)} does not answer: its {_noun(path)} are missing here"), None
        if answer.status_code in (401, 403):
            return Part(trouble="Your roles do not cover this", is_denied=True), None
        if answer.status_code != 200:
            trouble = f"{_service(path)} answered {answer.status_code}: its {_noun(path)} are missing here"
            return Part(trouble=trouble), None
        return _read(answer, path, kind)


def _read(answer: httpx.Response, path: str, kind: type[T]) -> tuple[Part[T], str | None]:
    unreadable = Part[T](
        trouble=f"{_service(path)} gave an answer that can't be read: its {_noun(path)} are missing here"
    )
    try:
        body: Any = answer.json()
    except ValueError:
        return unreadable, None
    if not isinstance(body, dict) or not isinstance(body.get("items"), list):
        return unreadable, None
    items = [item for raw in body["items"] if (item := _parse(kind, raw)) is not None]
    part = Part(tuple(items))
    if left_out := len(body["items"]) - len(items):
        part = replace(
            part, trouble=f"{_service(path)}: {left_out} of its {_noun(path)} can't be read and are left out"
        )
    following = body.get("next")
    return part, following if isinstance(following, str) else None


def _parse(kind: type[T], raw: object) -> T | None:
    try:
        return kind.model_validate(raw)
    except ValidationError:
        return None


def _service(path: str) -> str:
    return path.split("/")[1].capitalize()


def _noun(path: str) -> str:
    return path.rpartition("/")[2]


def _wire(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
