"""What the page of components asks of inventory."""

import asyncio

from services.console.answers import Part
from services.console.assets.domain import Asset
from services.console.components.domain import Chosen
from services.console.overview.domain import Site
from services.console.rest import Asking

SHOWN = 50


async def ask(asking: Asking, chosen: Chosen, cursor: str | None) -> tuple[Part[Site], Part[Asset]]:
    """The sites, and a page of the components that are looked for."""
    async with asyncio.TaskGroup() as group:
        sites = group.create_task(asking.all("/inventory/v1/sites", Site))
        components = group.create_task(_components(asking, chosen, cursor))
    return sites.result(), components.result()


async def _components(asking: Asking, chosen: Chosen, cursor: str | None) -> Part[Asset]:
    if chosen.is_too_short:
        return Part()
    path, site_id = "/inventory/v1/components", chosen.site_id
    return await asking.page(path, Asset, SHOWN, q=chosen.words, site_id=site_id, cursor=cursor)
