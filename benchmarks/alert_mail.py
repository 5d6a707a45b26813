"""From the third failure of a check to its mail in the mail server's hands: probes, relay, bus, notifier and SMTP."""

import asyncio
import math
import os
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import time

import asyncpg

from benchmarks.figure import Figure
from benchmarks.ground import Ground, House
from benchmarks.processes import running
from shared.events.inventory import AssetChanged, DicomAddress, PersonChanged, SiteChanged
from shared.transactions import new_id
from tests.harness import Voice, speaking_as
from tests.parts.smtp import Received, SmtpServer

ALERTS = int(os.environ.get("STEWARD_BENCH_ALERTS", "200"))
EVERY_SECONDS = 0.15
WITHIN_SECONDS = 120.0
KNOWN_EVERY = 0.1
LIMIT_MS = 1000
GROUP_WAIT_MS = 30_000
"""What Alertmanager waits by default before it sends the first notification of a group (``group_wait: 30s``)."""

SITE = "north"
RETRY_SECONDS = "0.5"
THIRD_FAILURES = """
    SELECT name, extract(epoch FROM seen_at)::float8 FROM (
        SELECT name, started_at + make_interval(secs => (
                   SELECT coalesce(sum(value::float8), 0) FROM jsonb_each_text(phases)) / 1000) AS seen_at,
               row_number() OVER (PARTITION BY results.subject ORDER BY started_at) AS number
        FROM probes.results JOIN probes.assets ON assets.id = results.subject WHERE outcome = 'failed') AS failures
    WHERE number = 3"""


class Stamped(list[Received]):
    """Messages, and when each was taken over, by the node that its subject names."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, float] = {}

    def append(self, message: Received) -> None:
        """Notes the time first."""
        now = time()
        if found := re.search(rb"node-\d+", message.raw):
            self.at.setdefault(found[0].decode(), now)
        super().append(message)


async def measure(ground: Ground) -> list[Figure]:
    """Nodes that refuse connections are made known one after the other, so that each alert stands for itself."""
    return [await _measure(ground, bus) for bus in ("postgres", "kafka")]


async def _measure(ground: Ground, kind: str) -> Figure:
    async with ground.house(kind) as house, _mail_server() as (server, stamped):
        settings = {
            "STEWARD_SMTP_PORT": str(server.port),
            "STEWARD_PROBE_RETRY_INTERVAL": RETRY_SECONDS,
            "STEWARD_PROBE_AE_TITLE": "BENCH",
        }
        bus = house.bus()
        try:
            async with (
                running(house, ground.folder / f"alert-mail-{kind}", ("probes", "notifier"), settings),
                speaking_as("inventory", house.login("inventory"), bus) as inventory,
            ):
                await _settle(house, inventory)
                with _refusing_port() as port:
                    await _tell_nodes(inventory, port)
                    await server.wait_for(lambda _: len(stamped.at) == ALERTS, WITHIN_SECONDS)
                failed_at = await _third_failures(house)
        finally:
            await bus.close()
    delays = sorted(1000 * (stamped.at[node] - failed_at[node]) for node in stamped.at)
    return Figure(
        f"third failure to accepted mail, p99, {kind} bus",
        delays[math.ceil(0.99 * len(delays)) - 1],
        "ms",
        "Alertmanager's default group_wait alone",
        GROUP_WAIT_MS,
        floor=LIMIT_MS,
        at_most=True,
    )


@asynccontextmanager
async def _mail_server() -> AsyncIterator[tuple[SmtpServer, Stamped]]:
    stamped = Stamped()
    server = SmtpServer()
    server.messages = stamped
    async with server:
        yield server, stamped


class _refusing_port:
    """A port that is taken and at which nobody listens."""

    def __enter__(self) -> int:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        port: int = self._socket.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._socket.close()


async def _settle(house: House, inventory: Voice) -> None:
    """Tells of a site and its administrator; notifier knows both when this returns."""
    site = SiteChanged(name="North", time_zone="Europe/Berlin", version=1)
    await inventory.say(site, subject=SITE, site_id=SITE)
    admin = PersonChanged(name="Ben", email="ben@north.example", roles=["admin"], active=True, version=1)
    await inventory.say(admin, subject="ben", site_id=SITE)
    conn = await asyncpg.connect(house.owner)
    async with asyncio.timeout(WITHIN_SECONDS):
        while not await conn.fetchval(
            "SELECT EXISTS (SELECT FROM notifier.people) AND EXISTS (SELECT FROM notifier.sites)"
        ):
            await asyncio.sleep(KNOWN_EVERY)
    await conn.close()


async def _tell_nodes(inventory: Voice, port: int) -> None:
    for number in range(ALERTS):
        address = DicomAddress(ae_title="NODE", host="127.0.0.1", port=port, role="archive")
        node = AssetChanged(kind="node", name=f"node-{number:04}", state="in_service", version=1, dicom=address)
        await inventory.say(node, subject=new_id(), site_id=SITE)
        await asyncio.sleep(EVERY_SECONDS)


async def _third_failures(house: House) -> Mapping[str, float]:
    """By node, when its third failure was seen."""
    conn = await asyncpg.connect(house.owner)
    rows = await conn.fetch(THIRD_FAILURES)
    await conn.close()
    return {row[0]: row[1] for row in rows}
