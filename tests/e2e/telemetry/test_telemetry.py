"""One write, followed from the outside over two services that run as processes of their own."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from shared.bus.postgres import PostgresBus
from shared.database import open_pool
from shared.issuer import Issuer
from shared.migrate import create_topics, migrate_bus, migrate_service
from tests.conftest import execute
from tests.e2e.telemetry.collector import Collector
from tests.news import TELL, until
from tests.parts.process import free_port

PROJECT = Path(__file__).parents[3]
SERVICES = ("inventory", "compliance")
WAIT_SECONDS = 60.0
SITE = {"id": "north", "name": "Northfield General Hospital", "time_zone": "Europe/Berlin"}


@dataclass
class Running:
    """A service as a process: its address and the lines that it has logged."""

    url: str
    process: Process
    lines: list[dict[str, Any]] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def read_log(self) -> None:
        """Collects log lines until the process ends; each must be a JSON object."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._news:
                self.lines.append(json.loads(line))
                self._news.notify_all()

    async def until(self, action: str, **fields: str) -> dict[str, Any]:
        """The first line with this action and these fields."""
        wanted = {"action": action} | fields

        def found() -> dict[str, Any] | None:
            return next((line for line in self.lines if wanted.items() <= line.items()), None)

        async with self._news, asyncio.timeout(WAIT_SECONDS):
            await self._news.wait_for(lambda: found() is not None)
        line = found()
        assert line is not None
        return line


@asynccontextmanager
async def service(name: str, environment: dict[str, str]) -> AsyncIterator[Running]:
    """Runs `steward run NAME` until the block ends; it must end well when it is told to."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "services", "run", name),
        env={**os.environ, **environment, "PYTHONPATH": str(PROJECT), "STEWARD_HTTP_PORT": str(port)},
        stderr=PIPE,
    )
    running = Running(f"http://127.0.0.1:{port}/{name}", process)
    reading = asyncio.create_task(running.read_log())
    try:
        await running.until("http.listening")
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        status = await process.wait()
        await reading
    assert status == 0


@pytest.fixture
async def environment(database: str, tmp_path: Path) -> dict[str, str]:
    """Settings of both services, on the embedded bus."""
    for name in SERVICES:
        await migrate_service(database, name, PROJECT / "services" / name / "migrations", None)
    await migrate_bus(database, None)
    await execute(database, TELL)
    bus = PostgresBus(database)
    await create_topics(bus)
    await bus.close()
    return {
        "STEWARD_DATABASE": database,
        "STEWARD_BUS": "postgres",
        "STEWARD_BUS_DATABASE": database,
        "STEWARD_OIDC_JWKS": str(Issuer(tmp_path).jwks_file),
        "STEWARD_LOG_LEVEL": "debug",
    }


async def test_one_event_can_be_followed_over_services(
    environment: dict[str, str], database: str, tmp_path: Path
) -> None:
    """One trace has spans of both services; logs are JSON with stable actions; metrics count the event's way."""
    headers = {"Authorization": f"Bearer {Issuer(tmp_path).token('alice', ['group-admin:*', 'auditor:*'])}"}
    async with AsyncExitStack() as stack:
        collector = await stack.enter_async_context(Collector())
        environment["STEWARD_OTLP_ENDPOINT"] = f"http://127.0.0.1:{collector.port}"
        environment["OTEL_BSP_SCHEDULE_DELAY"] = "200"
        inventory, compliance = [await stack.enter_async_context(service(name, environment)) for name in SERVICES]
        client = await stack.enter_async_context(httpx.AsyncClient(headers=headers, timeout=30))
        for running in (inventory, compliance):
            assert (await client.get(f"{running.url}/health/live")).status_code == 200
            assert (await client.get(f"{running.url}/health/ready")).json() == {"status": "ok"}

        traceparent = f"00-{'ab' * 16}-{'cd' * 8}-01"
        answer = await client.post(f"{inventory.url}/v1/sites", json=SITE, headers={"traceparent": traceparent})
        assert answer.status_code == 201
        trace_id = await collector.until({"steward-inventory", "steward-compliance"}, WAIT_SECONDS)
        assert trace_id == "ab" * 16

        pool = await open_pool(database, schema="compliance", application="test")
        await until(pool, "SELECT count(*) >= 1 FROM events")
        await pool.close()
        [entry] = (await client.get(f"{compliance.url}/v1/events", params={"site_id": "north"})).json()["items"]
        assert entry["event"]["traceparent"].startswith(f"00-{'ab' * 16}-")
        assert entry["event"]["correlationid"] == answer.headers["x-correlation-id"]
        published = await inventory.until("relay.published")
        assert (published["service"], published["level"]) == ("inventory", "debug")
        metrics = (await client.get(f"{inventory.url}/metrics")).text
        assert 'steward_events_published_total{service="inventory",type="site.changed"} 1.0' in metrics
        assert 'route="/v1/sites",service="inventory",status="201"' in metrics
        metrics = (await client.get(f"{compliance.url}/metrics")).text
        assert 'steward_events_consumed_total{service="compliance",type="site.changed"} 1.0' in metrics


async def test_a_service_without_its_database_is_alive_but_not_ready(
    environment: dict[str, str], database: str
) -> None:
    """Readiness says what is missing, and comes back by itself when the database does."""
    name = database.rsplit("/", 1)[1].split("?")[0]
    other = database.replace(f"/{name}", "/postgres")
    admin = await asyncpg.connect(other)
    try:
        async with service("inventory", environment) as inventory, httpx.AsyncClient(timeout=30) as client:
            assert (await client.get(f"{inventory.url}/health/ready")).status_code == 200
            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
            await inventory.until("work.interrupted")
            answer = await client.get(f"{inventory.url}/health/ready")
            assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
            assert "database" in answer.json()
            assert (await client.get(f"{inventory.url}/health/live")).status_code == 200
            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            for work in ("relay", "consumer"):
                await inventory.until("work.steady", work=work)
            assert (await client.get(f"{inventory.url}/health/ready")).status_code == 200
    finally:
        await admin.close()
