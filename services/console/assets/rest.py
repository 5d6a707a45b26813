"""What the page of an asset asks of the other services."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from services.console.answers import One, Part
from services.console.assets.domain import (
    Answers,
    Asset,
    Contract,
    End,
    Evidence,
    Gates,
    Impact,
    Link,
    Revision,
    Support,
    Transition,
    Vendor,
    Waiver,
)
from services.console.overview.domain import Alert, Site
from services.console.rest import Asking

INVENTORY = "/inventory/v1"
SHOWN_PARTS = 50
SHOWN_CHANGES = 15
SHOWN_LINKS = 100
MOST_VENDORS = 20
MOST_IDS = 100
"""Asked for by their ids at once."""

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Places:
    """Where the pages of the long lists begin; None at their beginning."""

    nodes: str | None = None
    components: str | None = None
    changes: str | None = None


async def find(asking: Asking, asset_id: str) -> One[Asset]:
    """The asset, as far as the visitor may see it."""
    return await asking.one(f"{INVENTORY}/assets/{asset_id}", Asset, "asset")


async def ask(asking: Asking, asset: Asset, places: Places) -> Answers:
    """All that is told of the asset, asked for at once."""
    url = f"{INVENTORY}/assets/{asset.id}"
    async with asyncio.TaskGroup() as group:
        site = group.create_task(asking.one(f"{INVENTORY}/sites/{asset.site_id}", Site, "site"))
        alerts = group.create_task(asking.all("/probes/v1/alerts", Alert, open="true"))
        gates = group.create_task(asking.one(f"{url}/gates", Gates, "gates"))
        evidence = group.create_task(asking.all(f"{url}/evidence", Evidence))
        waivers = group.create_task(asking.all(f"{url}/waivers", Waiver))
        transitions = group.create_task(asking.all(f"{url}/transitions", Transition))
        impact = group.create_task(asking.one(f"{url}/impact", Impact, "dependents"))
        links = group.create_task(_links(asking, asset))
        contracts = group.create_task(_contracts(asking, asset))
        support = group.create_task(_support(asking, asset))
        nodes = group.create_task(_nodes(asking, asset, places))
        components = group.create_task(_components(asking, asset, places))
        end = group.create_task(_end(asking, asset))
        history = group.create_task(
            asking.page(
                f"{INVENTORY}/history",
                Revision,
                SHOWN_CHANGES,
                thing_id=asset.id,
                kind=asset.kind,
                newest_first="true",
                cursor=places.changes,
            )
        )
    return Answers(
        asset=asset,
        site=site.result(),
        alerts=alerts.result(),
        gates=gates.result(),
        evidence=evidence.result(),
        waivers=waivers.result(),
        transitions=transitions.result(),
        links=links.result()[0],
        named=links.result()[1],
        impact=impact.result(),
        contracts=contracts.result()[0],
        vendors=contracts.result()[1],
        support=support.result(),
        nodes=nodes.result(),
        components=components.result()[0],
        ends=components.result()[1],
        end=end.result(),
        history=history.result(),
    )


async def _links(asking: Asking, asset: Asset) -> tuple[Part[Link], Part[Asset]]:
    """The links of an asset, and the names of all that it refers to."""
    links = await asking.page(f"{INVENTORY}/assets/{asset.id}/links", Link, SHOWN_LINKS)
    ends = (end for link in links.items for end in (link.from_id, link.to_id))
    wanted = {one for one in (*ends, asset.system_id, asset.installed_in, asset.mirrors) if one} - {asset.id}
    return links, await _by_ids(asking, f"{INVENTORY}/assets", Asset, "id", sorted(wanted))


async def _contracts(asking: Asking, asset: Asset) -> tuple[Part[Contract], Part[Vendor]]:
    contracts = await asking.all(f"{INVENTORY}/contracts", Contract, asset_id=asset.id)
    wanted = sorted({one.vendor_id for one in contracts.items})[:MOST_VENDORS]
    found = await asyncio.gather(*(asking.one(f"{INVENTORY}/vendors/{one}", Vendor, "vendors") for one in wanted))
    trouble = next((one.trouble for one in found if one.trouble), None)
    return contracts, Part(tuple(one.item for one in found if one.item), trouble)


async def _support(asking: Asking, asset: Asset) -> One[Support]:
    if asset.kind != "system":
        return One()
    return await asking.one(f"{INVENTORY}/systems/{asset.id}/support", Support, "support")


async def _nodes(asking: Asking, asset: Asset, places: Places) -> Part[Asset]:
    if asset.kind != "system":
        return Part()
    path = f"{INVENTORY}/nodes"
    return await asking.page(path, Asset, SHOWN_PARTS, cursor=places.nodes, system_id=asset.id)


async def _components(asking: Asking, asset: Asset, places: Places) -> tuple[Part[Asset], Part[End]]:
    """A page of what belongs to a system or is installed in a component, with the ends of its life."""
    if asset.kind == "node":
        return Part(), Part()
    holder = {"system_id" if asset.kind == "system" else "installed_in": asset.id}
    path = f"{INVENTORY}/components"
    found = await asking.page(path, Asset, SHOWN_PARTS, cursor=places.components, **holder)
    ids = [component.id for component in found.items]
    return found, await _by_ids(asking, f"{INVENTORY}/ends-of-life", End, "asset_id", ids)


async def _end(asking: Asking, asset: Asset) -> One[End]:
    if asset.kind != "component":
        return One()
    return await asking.one(f"{INVENTORY}/components/{asset.id}/end-of-life", End, "end of life")


async def _by_ids(asking: Asking, path: str, kind: type[T], parameter: str, ids: Sequence[str]) -> Part[T]:
    parts = [
        await asking.page(path, kind, MOST_IDS, **{parameter: ids[start : start + MOST_IDS]})
        for start in range(0, len(ids), MOST_IDS)
    ]
    items = tuple(item for part in parts for item in part.items)
    return Part(items, next((part.trouble for part in parts if part.trouble), None))
