"""The link to the service: asks for work and brings results, over HTTP that only this side opens."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from services.probes.agents.domain import Assignments, Receipt
from shared.errors import StewardError

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
NOT_MODIFIED = 304
NOT_TAKEN = (400, 413, 422)
FAILED = 500

T = TypeVar("T", bound=BaseModel)


class LinkDown(StewardError):
    """The service was not reached, or would not listen; the message says what to look at."""


class NotTaken(LinkDown):
    """The service was reached and will never take what was brought: it can't be read, or is too large."""


class Broken(LinkDown):
    """The service was reached and failed (5xx), or fell silent: it is ill, or what was brought makes it so."""


class Link:
    """One agent's connection with probes at ``server``, under the agent's own name.

    ``news`` is set when the service, while it took results, said that there is other work than it last gave.
    """

    def __init__(self, server: str, name: str, token: SecretStr, ca: str | None = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"{server.rstrip('/')}/v1/agents/{name}",
            headers={"Authorization": f"Bearer {token.get_secret_value()}"},
            timeout=TIMEOUT,
            verify=ca or True,
        )
        self._etag: str | None = None
        self.news = asyncio.Event()

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def ask_for_work(self) -> Assignments | None:
        """All that is to be done; None when it is what was last given. Raises LinkDown."""
        answer = await self._send("GET", "/assignments", headers={"If-None-Match": self._etag} if self._etag else None)
        if answer.status_code == NOT_MODIFIED:
            return None
        work = _read(Assignments, answer)
        self._etag = answer.headers.get("etag")
        return work

    async def bring(self, results: Sequence[bytes], waiting: int, lost: int, quarantined: int) -> Receipt:
        """Brings results, each a Brought in JSON, which the service has for good when this returns.

        Raises LinkDown; NotTaken when one of them is no result to the service, or they are too large for it; Broken
        when it fails on them.
        """
        sent_at = datetime.now(UTC).isoformat()
        told = f'"sent_at":"{sent_at}","waiting":{waiting},"lost":{lost},"quarantined":{quarantined}'
        head = f'{{{told},"results":['.encode()
        headers = {"Content-Type": "application/json"}
        body = head + b",".join(results) + b"]}"
        receipt = _read(Receipt, await self._send("POST", "/results", content=body, headers=headers))
        if receipt.work and f'"{receipt.work}"' != self._etag:
            self.news.set()
        return receipt

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, **request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
            raise LinkDown(f"{self._client.base_url} can't be reached: {exc or type(exc).__name__}") from exc
        except httpx.HTTPError as exc:
            raise Broken(f"{self._client.base_url} was not heard to its end: {exc or type(exc).__name__}") from exc
        if answer.is_success or answer.status_code == NOT_MODIFIED:
            return answer
        raise _fault(answer.status_code)(
            f"{self._client.base_url}{path[1:]} answered {answer.status_code}: {_detail(answer)}"
        )


def _fault(status: int) -> type[LinkDown]:
    if status in NOT_TAKEN:
        return NotTaken
    return Broken if status >= FAILED else LinkDown


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])[:500]
    except (ValueError, LookupError, TypeError):
        return answer.reason_phrase


def _read(model: type[T], answer: httpx.Response) -> T:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as exc:
        raise LinkDown(f"what the service answered can't be read; are both of one version? {exc.errors()[0]}") from exc
