"""Commands on patches."""

from datetime import datetime

from services.maintenance.changes import domain, store
from services.maintenance.changes.domain import Patch
from services.maintenance.fleet import handlers as fleet
from shared.events.maintenance import PatchApplied
from shared.transactions import Transaction, new_id


async def record_patch(
    tx: Transaction, system_id: str, to_version: str, applied_at: datetime | None, summary: str
) -> Patch:
    """Records that a system was patched, now unless told when. Raises NotFound, Conflict, Malformed, TooLarge."""
    system = await fleet.lock_system(tx, system_id)
    patch = domain.record_patch(
        system, to_version, applied_at or tx.now, summary, patch_id=new_id(), now=tx.now, actor=tx.actor
    )
    await store.insert_patch(tx.conn, patch)
    await fleet.note_patch(tx, system, to_version)
    data = PatchApplied.model_validate({**patch.model_dump(), "patch_id": patch.id})
    tx.record(data, subject=patch.system_id, site_id=patch.site_id)
    return patch
