"""Events that change the audience, and what the other capabilities ask of it."""

from collections.abc import Collection

from services.notifier.audience import store
from services.notifier.audience.domain import Audience, Place, Recipient, audience_of, place_of
from shared.database import Connection
from shared.events import Event
from shared.events.inventory import AssetChanged, PersonChanged, SiteChanged
from shared.events.notifier import NoticeKind
from shared.transactions import Transaction


async def keep_site(tx: Transaction, event: Event[SiteChanged]) -> None:
    """Keeps the site's name and zone."""
    await store.upsert_site(tx.conn, event.subject, event.data)


async def keep_person(tx: Transaction, event: Event[PersonChanged]) -> None:
    """Keeps the person. Whoever saves a person vouches for the address: its suppression is lifted."""
    if await store.upsert_person(tx.conn, event.subject, event.site_id, event.data):
        await store.delete_suppression(tx.conn, event.data.email)


async def keep_asset(tx: Transaction, event: Event[AssetChanged]) -> None:
    """Keeps the asset's name, also of one that is retired: people know it by that name."""
    await store.upsert_asset(tx.conn, event.subject, event.data)


async def suppress_address(tx: Transaction, address: str, reason: str) -> None:
    """Sends nothing to the address from now on, until a person with it is saved again."""
    await store.insert_suppression(tx.conn, address, reason, tx.now)


async def people_to_tell(conn: Connection, site_id: str, kind: NoticeKind) -> list[str]:
    """The ids of all who are to hear a notice of that kind about the site, at this moment."""
    return await store.select_audience_ids(conn, site_id, audience_of(kind))


async def audiences_with(conn: Connection, site_id: str, person_id: str) -> Collection[Audience]:
    """The audiences of the site to which the person belongs, at this moment."""
    return await store.select_audiences_with(conn, site_id, person_id)


async def find_recipient(conn: Connection, person_id: str) -> Recipient | None:
    """The person with today's address; None when there is no such person."""
    return await store.select_recipient(conn, person_id)


async def find_place(conn: Connection, site_id: str) -> Place:
    """The site's name and zone, or what stands for them."""
    return place_of(site_id, *await store.select_site(conn, site_id))


async def asset_names(conn: Connection, asset_ids: Collection[str]) -> dict[str, str]:
    """Today's names of those assets that are known."""
    return await store.select_asset_names(conn, asset_ids)
