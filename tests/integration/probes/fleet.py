"""A small fleet as inventory and maintenance would tell of it, with nodes that speak real DICOM."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.node import Node
from services.probes.__main__ import build
from services.probes.dicom import Peer
from services.probes.settings import ProbesSettings
from shared.database import Pool
from shared.events.inventory import AssetChanged, AssetRetired, DicomAddress, LifecycleState
from shared.events.maintenance import SystemRef, Window
from shared.transactions import new_id
from tests.harness import Voice
from tests.news import until

SITE = "north"

DAY = 86_400
"""Seconds between runs, where no regular one may come in between."""

# A run may take 0.8 of the interval, which must do for a healthy node on a busy machine too.
FAST = {
    "probe_interval": 2,
    "probe_retry_interval": 0.1,
    "alert_window_grace": 0.2,
    "probe_vantage": "first",
}


def probes(**more: Any) -> dict[str, Any]:
    """The service for ``run``: fast probes."""
    return {"probes": (build, ProbesSettings, FAST | more)}


@contextmanager
def listening_node(name: str = "north-pacs") -> Iterator[Node]:
    """A node that answers C-ECHO on a free port."""
    node = Node(name, "archive", "NORTH_PACS")
    node.start()
    yield node
    node.stop()


def address_of(node: Node | Peer) -> DicomAddress:
    """Where a node answers, as inventory tells it."""
    return DicomAddress(ae_title=node.ae_title, host=node.host, port=node.port, role="archive")


async def tell_node(
    inventory: Voice,
    node: Node | Peer,
    asset_id: str | None = None,
    *,
    site_id: str = SITE,
    state: LifecycleState = "in_service",
    version: int = 1,
    system_id: str | None = None,
    name: str = "north-pacs",
) -> str:
    """Publishes the node's state and returns its asset id."""
    asset_id = asset_id or new_id()
    changed = AssetChanged(
        kind="node", name=name, state=state, version=version, system_id=system_id, dicom=address_of(node)
    )
    await inventory.say(changed, subject=asset_id, site_id=site_id)
    return asset_id


async def tell_system(
    inventory: Voice, system_id: str | None = None, *, state: LifecycleState = "in_service", version: int = 1
) -> str:
    """Publishes a system's state and returns its asset id."""
    system_id = system_id or new_id()
    changed = AssetChanged(kind="system", name="North archive", state=state, version=version)
    await inventory.say(changed, subject=system_id, site_id=SITE)
    return system_id


async def tell_retired(inventory: Voice, asset_id: str) -> None:
    """Publishes that a node is retired."""
    retired = AssetRetired(kind="node", name="north-pacs", reason="replaced")
    await inventory.say(retired, subject=asset_id, site_id=SITE)


def window_facts(system_id: str, *, minutes: float = 60, starts_in: float = -1) -> dict[str, Any]:
    """What every event of one window tells; it begins ``starts_in`` minutes from now."""
    starts_at = datetime.now(UTC) + timedelta(minutes=starts_in)
    return Window(
        window_id=new_id(),
        revision=0,
        title="Update of the archive",
        reason="patch",
        impact="OUTAGE",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=minutes),
        systems=[SystemRef(id=system_id, name="North archive")],
        contact="it@north.example.org",
    ).model_dump()


async def until_not_probed(probes: Pool) -> None:
    """Waits until no probe is left: from then on no result can be stored."""
    await until(probes, "SELECT count(*) = 0 FROM probes")
