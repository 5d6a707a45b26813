"""What inventory does with patch.applied."""

from datetime import UTC, datetime, timedelta

from services.inventory.assets.consumer import HANDLERS
from shared.bus import Batch, Bus, Message
from shared.consumer import Consumer
from shared.events import encode_unsequenced, with_sequence
from shared.events.maintenance import PatchApplied
from shared.service import handler_table
from shared.transactions import new_id
from tests.harness import Harness
from tests.integration.inventory.requests import NOBODY, SYSTEMS, register_node, register_system

REPLAYED = """INSERT INTO quarantine (id, topic, partition, "offset", raw, reason, quarantined_at)
              VALUES ($1, 'patch.applied', 0, 7, $2, 'the database was restored', now())"""


def patch_event(
    event_id: str,
    subject: str,
    sequence: int = 1,
    site_id: str = "north",
    to_version: str = "5.2.2",
    now: datetime | None = None,
) -> bytes:
    """The event as maintenance would put it on the wire."""
    now = now or datetime.now(UTC)
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


async def test_older_patch_that_comes_later_does_not_bring_its_version_back(steward: Harness, bus: Bus) -> None:
    """Whether a newer patch or a person has told the version since; the replay itself succeeds."""
    system = await register_system(steward)
    url = f"{SYSTEMS}/{system['id']}"
    held_id, before = new_id(), datetime.now(UTC) - timedelta(minutes=1)
    pool = steward.pools["inventory"]
    await pool.execute(REPLAYED, held_id, patch_event(new_id(), system["id"], 1, now=before))
    consumer = Consumer("inventory", pool, bus, handler_table(HANDLERS))
    newer = patch_event(new_id(), system["id"], 2, to_version="5.3.0")
    await consumer.apply(Batch("patch.applied", 0, [(0, newer)]))
    replayed = await steward.admin.post(f"/inventory/v1/quarantine/{held_id}/replay")
    assert (replayed.status_code, replayed.json()["state"]) == (200, "replayed")
    assert (await steward.admin.get(url)).json()["software"]["version"] == "5.3.0"

    corrected = {"name": system["name"], "software": system["software"] | {"version": "5.4.0"}}
    assert (await steward.admin.put(url, json=corrected, headers={"If-Match": '"2"'})).status_code == 200
    between = patch_event(new_id(), system["id"], 3, to_version="5.3.1", now=before)
    await consumer.apply(Batch("patch.applied", 0, [(1, between)]))
    assert (await steward.admin.get(url)).json()["software"]["version"] == "5.4.0"
