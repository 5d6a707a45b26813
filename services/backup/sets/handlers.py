"""Commands on protection sets, and what their systems' changes do to them."""

from services.backup.sets import store
from services.backup.sets.domain import Engine, ProtectionSet, System, check_has_data
from shared.database import Connection
from shared.events import Event
from shared.events.backup import Scope
from shared.events.inventory import AssetChanged
from shared.resource import check_version
from shared.transactions import Transaction, new_id


async def keep_system(tx: Transaction, event: Event[AssetChanged]) -> None:
    """Remembers a system; a DICOM node has no data of its own."""
    asset = event.data
    if asset.kind == "system":
        system = System(
            id=event.subject, site_id=event.site_id, name=asset.name, state=asset.state, version=asset.version
        )
        await store.upsert_system(tx.conn, system)


async def create_set(
    tx: Transaction, system_id: str, scope: Scope, engine: Engine, path: str, repository: str
) -> ProtectionSet:
    """Adds a set for ``path``, which was resolved before. Raises NotFound, Conflict."""
    system = await store.select_system(tx.conn, system_id)
    check_has_data(system)
    added = ProtectionSet(
        id=new_id(),
        system_id=system.id,
        site_id=system.site_id,
        scope=scope,
        engine=engine,
        path=path,
        repository=repository,
        version=1,
    )
    await store.insert_set(tx.conn, added)
    return added


async def change_set(tx: Transaction, set_id: str, expected_version: int, path: str, repository: str) -> ProtectionSet:
    """Replaces path and repository; a run that is planned already keeps its own. Raises NotFound, Stale, Conflict."""
    old = await store.select_set(tx.conn, set_id)
    check_version(f"protection set {set_id}", old, expected_version)
    changed = old.model_copy(update={"path": path, "repository": repository, "version": old.version + 1})
    await store.update_set(tx.conn, changed, expected_version)
    return changed


async def find_system(conn: Connection, system_id: str) -> System:
    """One system. Raises NotFound."""
    return await store.select_system(conn, system_id)


async def find_set(conn: Connection, set_id: str) -> ProtectionSet:
    """One set. Raises NotFound."""
    return await store.select_set(conn, set_id)
