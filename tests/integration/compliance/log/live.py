"""A log of a running service, signed and published, behind real HTTP for tools that know nothing of Steward."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from services.compliance.__main__ import build
from services.compliance.checkpoints.checkpoint import SignedCheckpoint, open_checkpoint
from services.compliance.log.proofs import plan_roots
from services.compliance.log.tiles import Bundle, Tile, split_bundle
from services.compliance.settings import ComplianceSettings
from shared.bus.postgres import PostgresBus
from shared.events.inventory import SiteChanged
from tests.conftest import execute
from tests.harness import Harness
from tests.integration.compliance.publishing import AUDITOR, Sender
from tests.integration.compliance.witness.station import serving
from tests.integration.conftest import Run
from tests.news import until
from tests.small_log import key_of

KEY = key_of("steward.example-hospitals.org/log")
URL = "/compliance/v1/log/"


@dataclass
class LiveLog:
    """A running log. ``grow`` puts events on its bus and returns when a checkpoint tells of them all."""

    steward: Harness
    sender: Sender
    url: str
    sent: int = 0

    @property
    def token(self) -> str:
        """Of an auditor of the whole group."""
        return self.steward.issuer.token("audrey", AUDITOR)

    @property
    def auditor(self) -> httpx.AsyncClient:
        """A client with that token."""
        return self.steward.as_("audrey", *AUDITOR)

    async def grow(self, count: int) -> SignedCheckpoint:
        """Adds that many entries and the manifests between them."""
        raws = [self.sender.event(self._site(n), site_id="north" if n % 3 else "south") for n in range(count)]
        await self.sender.send("site.changed", raws)
        self.sent += count
        published = """SELECT size - (SELECT count(*) FROM manifests) >= $1
                       AND size = (SELECT max(size) FROM checkpoints) FROM head"""
        await until(self.steward.pools["compliance"], published, self.sent)
        return await self.checkpoint()

    async def checkpoint(self) -> SignedCheckpoint:
        """The newest, verified."""
        return open_checkpoint((await self.get("checkpoint")).content, [KEY.verifier])

    async def get(self, path: str) -> httpx.Response:
        """An answer below the log's prefix, which must be one."""
        answer = await self.auditor.get(URL + path)
        answer.raise_for_status()
        return answer

    async def entries(self, bundle: Bundle) -> list[bytes]:
        """The entries of a bundle."""
        return split_bundle(bundle, (await self.get(bundle.path)).content)

    async def root(self, size: int) -> bytes:
        """The root at a size, from the tiles that are served."""
        plan = plan_roots([size], size)
        tiles: dict[Tile, bytes] = {tile: (await self.get(tile.path)).content for tile in plan.tiles}
        [[root]] = plan.solve(tiles)
        return root

    def _site(self, number: int) -> SiteChanged:
        return SiteChanged(name=f"Northfield {number}", time_zone="Europe/Berlin", version=1)


def signed(folder: Path) -> dict[str, Any]:
    """The settings of compliance that have the log signed, often."""
    published = folder / "published"
    published.mkdir()
    return {"log_published": published / "checkpoint", "log_checkpoint_interval": 0.2, "log_key": KEY.reveal()}


@asynccontextmanager
async def live_log(run: Run, bus: PostgresBus, database: str, folder: Path) -> AsyncIterator[LiveLog]:
    """A log whose partitions are so small that it has several."""
    await execute(database, "UPDATE compliance.head SET partition_entries = 512")
    async with run(compliance=(build, ComplianceSettings, signed(folder))) as steward:
        transport = steward.http._transport
        assert isinstance(transport, httpx.ASGITransport)
        async with serving(transport.app) as url:
            yield LiveLog(steward, Sender(bus, "inventory"), url + URL)
