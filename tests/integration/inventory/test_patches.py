"""What inventory does with patch.applied."""

from datetime import UTC, datetime

from services.inventory.assets.consumer import HANDLERS
from shared.bus import Batch, Bus, Message
from shared.consumer import Consumer
from shared.events import encode_unsequenced, with_sequence
from shared.events.maintenance import PatchApplied
from shared.service import handler_table
from shared.transactions import new_id
from tests.harness import Harness
from tests.integration.inventory.requests import NOBODY, SYSTEMS, register_node, register_system


def patch_event(
    event_id: str, subject: str, sequence: int = 1, site_id: str = "north", to_version: str = "5.2.2"
) -> bytes:
    """The event as maintenance would put it on the wire."""
    now = datetime.now(UTC)
    told = PatchApplied(patch_id=new_id(), from_version="5.2.1", to_version=to_version, applied_at=now, summary="Fixes")
    body = encode_unsequenced(
        told,
        event_id=event_id,
        source="/services/maintenance",
        subject=subject,
        time=now,
        site_id=site_id,
        actor="carol",
        correlation_id="patch-day",
        causation_id=None,
        traceparent=None,
    )
    return with_sequence(body, sequence)


async def test_patched_system_has_the_new_version(steward: Harness, bus: Bus) -> None:
    """asset.changed tells it, in the name of who patched, with the patch event as its cause."""
    system = await register_system(steward)
    event_id = new_id()
    async with bus.publisher("maintenance") as publisher:
        await publisher.publish([Message("patch.applied", system["id"], patch_event(event_id, system["id"]))])
    changed = await steward.heard.until("asset.changed", lambda event: event.data.version == 2)
    assert changed.data.software.version == "5.2.2"
    assert (changed.subject, changed.actor) == (system["id"], "carol")
    assert (changed.causation_id, changed.correlation_id) == (event_id, "patch-day")
    stored = (await steward.admin.get(f"{SYSTEMS}/{system['id']}")).json()
    assert stored == system | {"software": system["software"] | {"version": "5.2.2"}, "version": 2}


async def test_patches_that_fit_no_system_are_quarantined_and_the_next_is_applied(steward: Harness, bus: Bus) -> None:
    """An asset that never was, a node, a system of another site, a version that is none: kept for a person to see."""
    system = await register_system(steward)
    node = await register_node(steward, system)
    wrong = [
        (patch_event(new_id(), NOBODY, 1), "NotFound"),
        (patch_event(new_id(), node["id"], 2), "NotFound"),
        (patch_event(new_id(), system["id"], 3, site_id="south"), "NotFound"),
        (patch_event(new_id(), system["id"], 4, to_version=""), "Malformed"),
        (patch_event(new_id(), system["id"], 5, to_version="5\u0000"), "Malformed"),
        (patch_event(new_id(), system["id"], 6, to_version="5" * 10_000), "Malformed"),
    ]
    right = patch_event(new_id(), system["id"], 7, to_version="5.3.0")
    pool = steward.pools["inventory"]
    consumer = Consumer("inventory", pool, bus, handler_table(HANDLERS))
    messages = list(enumerate([*(raw for raw, _ in wrong), right]))
    await consumer.apply(Batch("patch.applied", 0, messages))
    held = await pool.fetch('SELECT raw, reason FROM quarantine ORDER BY "offset"')
    assert [row["raw"] for row in held] == [raw for raw, _ in wrong]
    assert all(reason in row["reason"] for row, (_, reason) in zip(held, wrong, strict=True))
    stored = (await steward.admin.get(f"{SYSTEMS}/{system['id']}")).json()
    assert (stored["software"]["version"], stored["version"]) == ("5.3.0", 2)
