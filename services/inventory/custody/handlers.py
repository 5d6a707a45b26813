"""Commands on custody and disposal, and what the gates and the dossier ask of them."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from services.inventory.assets import handlers as assets
from services.inventory.assets.domain import Asset, Component, Node, System
from services.inventory.custody import store
from services.inventory.custody.disposal import (
    Disposal,
    NewDisposal,
    digest_of,
    lines_of,
    total_weight,
    why_custody_is_open,
    why_not_on_manifest,
)
from services.inventory.custody.domain import (
    Custody,
    Link,
    certificate_for,
    check_link,
    check_may_be_recorded,
    told,
)
from services.inventory.history.handlers import keep, keep_all
from services.inventory.recyclers.domain import Recycler
from services.inventory.recyclers.handlers import find_recycler
from services.inventory.sites.handlers import zones_of
from shared.database import Connection
from shared.errors import Conflict
from shared.events.decommissioning import DisposalRecorded
from shared.transactions import Transaction, new_id


class Recorded(BaseModel):
    """The links that were added, one for each asset."""

    items: list[Custody]


async def record_custody(tx: Transaction, link: Link) -> Recorded:
    """Adds what happened to the chain of each asset, or to none of them.

    Raises NotFound, Malformed, or Conflict naming the asset and the gap or contradiction.
    """
    asset_ids = sorted(set(link.asset_ids))
    held = [await assets.hold_asset(tx, asset_id) for asset_id in asset_ids]
    recycler = None if link.recycler_id is None else await find_recycler(tx.conn, link.recycler_id)
    chains = await store.select_chains(tx.conn, asset_ids)
    moves = await store.select_moves(tx.conn, asset_ids)
    zones = await zones_of(tx.conn, {asset.site_id for asset in held})
    made = []
    for asset in held:
        check_may_be_recorded(asset, await _belongs_to(tx.conn, asset))
        chain = chains.get(asset.id, [])
        check_link(asset, chain, moves.get(asset.id, {}), link, tx.now)
        made.append(_link(tx, asset, len(chain) + 1, link, recycler, zones[asset.site_id]))
    await store.insert_links(tx.conn, made)
    await keep_all(tx, "custody", [(None, one) for one in made])
    for one in made:
        tx.record(told(one), subject=one.asset_id, site_id=one.site_id)
    return Recorded(items=made)


def _link(tx: Transaction, asset: Asset, number: int, link: Link, recycler: Recycler | None, time_zone: str) -> Custody:
    return Custody(
        **link.model_dump(exclude={"asset_ids"}),
        id=new_id(),
        asset_id=asset.id,
        site_id=asset.site_id,
        number=number,
        certificate=None if recycler is None else certificate_for(link, recycler, time_zone),
        recorded_by=tx.actor,
        recorded_at=tx.now,
        version=1,
    )


async def record_disposal(tx: Transaction, asset_id: str, wanted: NewDisposal) -> Disposal:
    """Adds a recycler's manifest of components that it has picked up.

    Raises NotFound, Malformed, or Conflict naming the component that can't be on it.
    """
    asset = await assets.hold_asset(tx, asset_id)
    check_may_be_recorded(asset, await _belongs_to(tx.conn, asset))
    recycler = await find_recycler(tx.conn, wanted.recycler_id)
    parts = {part.id: part for part in await components_of(tx.conn, asset)}
    wanted_ids = [part.asset_id for part in wanted.parts]
    if taken := await store.select_manifest_of(tx.conn, wanted_ids):
        named = "; ".join(f"{parts[i].name if i in parts else i}: {reference}" for i, reference in taken.items())
        raise Conflict(f"on another manifest already: {named}")
    lines = lines_of(wanted, parts, await store.select_chains(tx.conn, wanted_ids))
    disposal = Disposal(
        id=new_id(),
        asset_id=asset.id,
        site_id=asset.site_id,
        recycler_id=recycler.id,
        recycler=recycler.name,
        downstream=recycler.downstream,
        reference=wanted.reference,
        lines=lines,
        weight_kg=total_weight(wanted.parts),
        sha256=digest_of(lines),
        recorded_by=tx.actor,
        recorded_at=tx.now,
        version=1,
    )
    await store.insert_disposal(tx.conn, disposal)
    await keep(tx, "disposal", None, disposal)
    tx.record(_disposal_told(disposal), subject=asset.id, site_id=asset.site_id)
    return disposal


def _disposal_told(disposal: Disposal) -> DisposalRecorded:
    return DisposalRecorded(
        disposal_id=disposal.id,
        recycler_id=disposal.recycler_id,
        reference=disposal.reference,
        lines=len(disposal.lines),
        weight_kg=disposal.weight_kg,
        sha256=disposal.sha256,
    )


async def components_of(conn: Connection, asset: Asset) -> list[Component]:
    """The components that go when the asset goes: all that belongs to it, and itself where it is one."""
    return [one for one in (asset, *await assets.parts_of(conn, asset.id)) if isinstance(one, Component)]


async def chains_of(conn: Connection, parts: Sequence[Component]) -> Mapping[str, list[Custody]]:
    """The chains of custody of components, by their ids."""
    return await store.select_chains(conn, [part.id for part in parts])


async def disposals_of(conn: Connection, asset_id: str) -> list[Disposal]:
    """All manifests of an asset."""
    return await store.select_disposals(conn, asset_id, None, None)


async def why_custody_incomplete(conn: Connection, asset: Asset) -> str | None:
    """Why the chain of custody of an asset's hardware is not complete; None where it is."""
    if isinstance(asset, Node):
        return None
    parts = await components_of(conn, asset)
    return why_custody_is_open(asset, parts, await chains_of(conn, parts))


async def why_not_disposed(conn: Connection, asset: Asset) -> str | None:
    """Which hardware of an asset is on no manifest of a recycler who was certified on the day; None where all is.

    That a recycler was certified is checked when a pickup is recorded.
    """
    parts = await components_of(conn, asset)
    return why_not_on_manifest(parts, await store.select_manifest_of(conn, [part.id for part in parts]))


async def _belongs_to(conn: Connection, asset: Asset) -> Asset:
    """The system that an asset is a part of, else the asset."""
    if isinstance(asset, System) or asset.system_id is None:
        return asset
    return await assets.find_system(conn, asset.system_id)
