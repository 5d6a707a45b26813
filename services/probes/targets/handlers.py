"""Events of inventory on targets: probes start and stop as the assets' states say."""

from collections.abc import Collection

from services.probes.kinds import FOR_EVERY_NODE
from services.probes.runs.domain import Probe, probe_id_of
from services.probes.runs.handlers import start_probe, stop_probe
from services.probes.targets import store
from services.probes.targets.domain import Defaults, Subject, Target
from shared.database import Connection
from shared.events import Event
from shared.events.inventory import AssetChanged, AssetRetired
from shared.transactions import Transaction


async def keep_asset(tx: Transaction, event: Event[AssetChanged], defaults: Defaults) -> None:
    """Takes an asset's state over, unless a newer one is known; its node, or its system's nodes, follow."""
    await store.lock_assets(tx.conn)
    if await store.upsert_asset(tx.conn, event.subject, event.site_id, event.data):
        await _follow(tx, event.subject, defaults)


async def retire_asset(tx: Transaction, event: Event[AssetRetired], defaults: Defaults) -> None:
    """Ends the probing of a node, or of a system's nodes, for good."""
    await store.lock_assets(tx.conn)
    await store.mark_retired(tx.conn, event.subject, event.site_id, event.data)
    await _follow(tx, event.subject, defaults)


async def align_nodes(tx: Transaction, defaults: Defaults) -> None:
    """Starts, stops and moves the probes that nodes get by themselves, where the settings say otherwise than before."""
    await store.lock_assets(tx.conn)
    for target in await store.select_nodes_asked_otherwise(tx.conn, defaults.vantages):
        await _start_and_stop_probes(tx, target, defaults)


async def find_subject(conn: Connection, asset_id: str) -> Subject:
    """The asset, if inventory has told of it. Raises NotFound."""
    return await store.select_asset(conn, asset_id)


async def hold_subject(tx: Transaction, asset_id: str) -> Subject:
    """The asset as it stands until the transaction ends. Raises NotFound."""
    await store.lock_assets(tx.conn)
    return await store.select_asset(tx.conn, asset_id)


async def find_subjects_touched_by(conn: Connection, asset_id: str) -> list[Subject]:
    """The assets whose probing depends on that one's state: itself, and a system's nodes."""
    return await store.select_subjects_touched_by(conn, asset_id)


async def find_nodes_touched_by(conn: Connection, asset_id: str) -> list[Target]:
    """The node of that id, or the nodes of the system of that id."""
    return await store.select_nodes_touched_by(conn, asset_id)


async def find_site_assets(conn: Connection, site_id: str, asset_ids: Collection[str]) -> set[str]:
    """Which of these assets are at the site."""
    return await store.select_site_assets(conn, site_id, asset_ids)


async def _follow(tx: Transaction, asset_id: str, defaults: Defaults) -> None:
    for target in await store.select_nodes_touched_by(tx.conn, asset_id):
        await _start_and_stop_probes(tx, target, defaults)


async def _start_and_stop_probes(tx: Transaction, target: Target, defaults: Defaults) -> None:
    for kind in FOR_EVERY_NODE:
        settings = kind.settings_for(target.dicom) if target.probed and target.dicom else None
        if settings is None or not defaults.are_made_at(target.site_id):
            why = target.reason or "the settings give its site no such probes"
            await stop_probe(tx, probe_id_of(kind.name, target.id), why)
            continue
        probe = Probe(
            id=probe_id_of(kind.name, target.id),
            kind=kind.name,
            subject=target.id,
            site_id=target.site_id,
            system_id=target.system_id,
            name=target.name,
            settings=settings.model_dump(),
            interval=defaults.cadence.interval,
            retry_interval=defaults.cadence.retry_interval,
            timeout=defaults.cadence.timeout,
            vantage=defaults.vantages.get(target.site_id),
            is_heavy=kind.is_heavy,
        )
        await start_probe(tx, probe)
