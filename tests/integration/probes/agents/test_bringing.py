"""Nothing at the head of an agent's spool keeps what lies behind it from coming."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
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
from services.probes.vantage.agent import Agent
from services.probes.vantage.bringing import DELIVERY_BYTES, MOST_FAILURES
from services.probes.vantage.link import Link
from services.probes.vantage.quarantine import Quarantine
from services.probes.vantage.spool import Kept
from shared.http.app import LimitBody
from tests.integration.compliance.witness.station import serving
from tests.integration.probes.agents.vantage import Watched

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Desk:
    """Takes results, as the service does, and no more than its bytes of them; it fails on ``poison``, if it is well."""

    def __init__(self, *poison: str) -> None:
        self.poison = set(poison)
        self.refused: dict[str, str] = {}
        self.is_ill = False
        self.status = 500
        self.taken: list[str] = []
        self.asked = 0
        self.largest = 0
        self.quarantined = 0
        self._news = asyncio.Event()
        take = Route("/v1/agents/north-dmz/results", self._take, methods=["POST"])
        give = Route("/v1/agents/north-dmz/assignments", self._give)
        self.app = LimitBody(Starlette(routes=[take, give]))

    async def until_taken(self, last: str) -> None:
        """Returns when the result of that probe is here."""
        await self.until(lambda: last in self.taken)

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Returns when that is so after a delivery."""
        async with asyncio.timeout(60):
            while not is_true():
                self._news.clear()
                await self._news.wait()

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        self.largest = max(self.largest, len(body))
        told = json.loads(body)
        results = told["results"]
        self.asked += 1
        self.quarantined = told["quarantined"]
        self._news.set()
        if self.is_ill or self.poison & {result["probe_id"] for result in results}:
            return JSONResponse({"detail": "the request failed"}, self.status)
        self.taken += [result["probe_id"] for result in results]
        self._news.set()
        why = [(index, self.refused.get(result["probe_id"])) for index, result in enumerate(results)]
        refused = [{"index": index, "reason": reason} for index, reason in why if reason is not None]
        return JSONResponse({"taken": len(results) - len(refused), "refused": refused, "retry": []})

    async def _give(self, request: Request) -> Response:
        return JSONResponse({"vantage": "north-dmz", "items": []})


def result(probe_id: str, size: int = 10) -> Kept:
    """A result as it lies in the spool."""
    brought = Brought.of(probe_id, NOW, NOW, Observation("ok", None, "It answered."))
    return Kept(brought.model_copy(update={"detail": "x" * size}).model_dump_json().encode())


@asynccontextmanager
async def bringing(desk: Desk, spool: Watched) -> AsyncIterator[Agent]:
    """An agent at work that brings what is in the spool."""
    async with serving(desk.app) as url:
        link = Link(url, "north-dmz", SecretStr("key"))
        agent = Agent(link, spool, Quarantine(spool.folder), {}, 0.1, 10, pause_seconds=0.02)
        running = asyncio.create_task(agent.run())
        yield agent
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await link.close()


async def test_a_delivery_is_bounded_by_bytes(tmp_path: Path) -> None:
    """So that large results of a long silence don't make one that the service takes never."""
    spool, desk = Watched(tmp_path), Desk()
    names = [f"tcp:{number}" for number in range(100)]
    spool.add([result(name, 40_000) for name in names])
    async with bringing(desk, spool):
        await desk.until_taken(names[-1])
    assert desk.taken == names
    assert desk.largest <= DELIVERY_BYTES + 1000
    assert spool.lost == 0
    spool.close()


def put_aside(folder: Path) -> list[tuple[str, str]]:
    """What is in quarantine: the probe and the reason of each result."""
    return [(told["result"]["probe_id"], told["reason"]) for _, told in Quarantine(folder).contents()]


async def test_a_result_that_is_too_large_is_put_aside_alone(tmp_path: Path) -> None:
    """It is kept with the reason, and told; those before and behind it come, each once. Nothing is lost."""
    spool, desk = Watched(tmp_path), Desk()
    spool.add([result("tcp:1"), result("tcp:2", 2_000_000), result("tcp:3"), result("tcp:4")])
    async with bringing(desk, spool):
        await desk.until_taken("tcp:4")
        await desk.until(lambda: desk.quarantined == 1)
        assert spool.lost == 0
    assert desk.taken == ["tcp:1", "tcp:3", "tcp:4"]
    [(probe_id, reason)] = put_aside(tmp_path)
    assert (probe_id, "413" in reason) == ("tcp:2", True)
    spool.close()


async def test_a_result_on_which_the_service_fails_is_put_aside_alone(tmp_path: Path) -> None:
    """Wherever it lies among others: they come, each once, in their order."""
    spool, desk = Watched(tmp_path), Desk("tcp:57")
    names = [f"tcp:{number}" for number in range(300)]
    spool.add([result(name) for name in names])
    async with bringing(desk, spool):
        await desk.until_taken(names[-1])
        await desk.until(lambda: desk.quarantined == 1)
        await spool.until_empty()
    assert desk.taken == [name for name in names if name != "tcp:57"]
    [(probe_id, reason)] = put_aside(tmp_path)
    assert (probe_id, "500" in reason) == ("tcp:57", True)
    assert spool.lost == 0
    spool.close()


async def test_a_result_is_not_put_aside_for_a_failure_that_passes(tmp_path: Path) -> None:
    """The service fails on it for a moment: it comes, with all others."""
    spool, desk = Watched(tmp_path), Desk("tcp:1")
    spool.add([result(f"tcp:{number}") for number in range(4)])
    async with bringing(desk, spool):
        await desk.until(lambda: desk.taken == ["tcp:0"])
        asked = desk.asked
        await desk.until(lambda: desk.asked > asked + 2)
        desk.poison.clear()
        await desk.until_taken("tcp:3")
    assert (desk.taken, put_aside(tmp_path)) == ([f"tcp:{number}" for number in range(4)], [])
    spool.close()


async def test_while_the_service_is_ill_nothing_is_put_aside(tmp_path: Path) -> None:
    """It fails on an empty delivery too, so that no result is the reason."""
    spool, desk = Watched(tmp_path), Desk()
    desk.is_ill, desk.status = True, 503
    spool.add([result("tcp:1")])
    async with bringing(desk, spool):
        await desk.until(lambda: desk.asked >= 2 * MOST_FAILURES - 2)
        desk.is_ill = False
        await desk.until_taken("tcp:1")
    assert (desk.taken, put_aside(tmp_path)) == (["tcp:1"], [])
    spool.close()


async def test_a_refused_result_is_put_aside_unless_nothing_is_missed_by_it(tmp_path: Path) -> None:
    """What a wrong clock has dated into the future is nowhere else; a repeat is at the service."""
    spool, desk = Watched(tmp_path), Desk()
    desk.refused = {"tcp:1": "from the future", "tcp:2": "repeated", "tcp:3": "unknown"}
    spool.add([result(f"tcp:{number}") for number in range(5)])
    async with bringing(desk, spool):
        await spool.until_empty()
        await desk.until(lambda: desk.quarantined == 1)
    assert put_aside(tmp_path) == [("tcp:1", "from the future")]
    spool.close()


async def test_what_was_put_aside_before_a_crash_is_put_aside_once(tmp_path: Path) -> None:
    """Between the file and the spool there is a moment in which the agent can die."""
    spool, desk = Watched(tmp_path), Desk("tcp:1")
    desk.status = 422
    spool.add([result("tcp:1"), result("tcp:2")])
    [(number, body), _] = spool.oldest(2, 1_000_000)
    Quarantine(tmp_path).put(number, body, "it was refused")
    async with bringing(desk, spool):
        await desk.until_taken("tcp:2")
    assert [probe_id for probe_id, _ in put_aside(tmp_path)] == ["tcp:1"]
    spool.close()


async def test_a_result_that_cant_be_written_takes_no_other_with_it(tmp_path: Path) -> None:
    """It is counted as lost, and the agent works on."""
    spool, desk = Watched(tmp_path), Desk()
    async with bringing(desk, spool) as agent:
        good = Brought.model_validate_json(result("tcp:1").body)
        agent._see(good.model_copy(update={"detail": "\ud800"}))
        agent._see(good)
        await desk.until_taken("tcp:1")
        assert spool.lost == 1
    spool.close()
