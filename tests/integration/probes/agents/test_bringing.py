"""Nothing at the head of an agent's spool keeps what lies behind it from coming."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.probes.agents.domain import Brought
from services.probes.kinds.domain import Observation
from services.probes.vantage.agent import DELIVERY_BYTES, Agent
from services.probes.vantage.link import Link
from services.probes.vantage.spool import Kept, Spool
from shared.http.app import LimitBody
from tests.integration.compliance.witness.station import serving

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Desk:
    """Takes results, as the service does, and no more than its bytes of them."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.largest = 0
        self._news = asyncio.Event()
        take = Route("/v1/agents/north-dmz/results", self._take, methods=["POST"])
        give = Route("/v1/agents/north-dmz/assignments", self._give)
        self.app = LimitBody(Starlette(routes=[take, give]))

    async def until_taken(self, last: str) -> None:
        """Returns when the result of that probe is here."""
        async with asyncio.timeout(30):
            while last not in self.taken:
                self._news.clear()
                await self._news.wait()

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        self.largest = max(self.largest, len(body))
        results = json.loads(body)["results"]
        self.taken += [result["probe_id"] for result in results]
        self._news.set()
        return JSONResponse({"taken": len(results), "refused": [], "retry": []})

    async def _give(self, request: Request) -> Response:
        return JSONResponse({"vantage": "north-dmz", "items": []})


def result(probe_id: str, size: int = 10) -> Kept:
    """A result as it lies in the spool."""
    brought = Brought.of(probe_id, NOW, NOW, Observation("ok", None, "It answered."))
    return Kept(brought.model_copy(update={"detail": "x" * size}).model_dump_json().encode())


@asynccontextmanager
async def bringing(desk: Desk, spool: Spool) -> AsyncIterator[Agent]:
    """An agent at work that brings what is in the spool."""
    async with serving(desk.app) as url:
        link = Link(url, "north-dmz", SecretStr("key"))
        agent = Agent(link, spool, {}, 0.1, 10)
        running = asyncio.create_task(agent.run())
        yield agent
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await link.close()


async def test_a_delivery_is_bounded_by_bytes(tmp_path: Path) -> None:
    """So that large results of a long silence don't make one that the service takes never."""
    spool, desk = Spool(tmp_path, 1000), Desk()
    names = [f"tcp:{number}" for number in range(100)]
    spool.add([result(name, 40_000) for name in names])
    async with bringing(desk, spool):
        await desk.until_taken(names[-1])
    assert desk.taken == names
    assert desk.largest <= DELIVERY_BYTES + 1000
    assert spool.lost == 0
    spool.close()


async def test_a_result_that_is_too_large_is_given_up_alone(tmp_path: Path) -> None:
    """It is counted as lost; those before and behind it come, each once."""
    spool, desk = Spool(tmp_path, 1000), Desk()
    spool.add([result("tcp:1"), result("tcp:2", 2_000_000), result("tcp:3"), result("tcp:4")])
    async with bringing(desk, spool):
        await desk.until_taken("tcp:4")
        assert spool.lost == 1
    assert desk.taken == ["tcp:1", "tcp:3", "tcp:4"]
    spool.close()


async def test_a_result_that_cant_be_written_takes_no_other_with_it(tmp_path: Path) -> None:
    """It is counted as lost, and the agent works on."""
    spool, desk = Spool(tmp_path, 1000), Desk()
    async with bringing(desk, spool) as agent:
        good = Brought.model_validate_json(result("tcp:1").body)
        agent._see(good.model_copy(update={"detail": "\ud800"}))
        agent._see(good)
        await desk.until_taken("tcp:1")
        assert spool.lost == 1
    spool.close()
