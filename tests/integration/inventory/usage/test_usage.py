"""Counters of use: read by probes from their results, and by people."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.inventory.usage.consumer import HANDLERS
from shared.bus import Batch, Bus
from shared.consumer import Consumer
from shared.events import encode_unsequenced, with_sequence
from shared.events.probes import ProbeResult
from shared.service import handler_table
from shared.transactions import new_id
from tests.harness import Harness
from tests.integration.inventory.components.parts import install
from tests.integration.inventory.requests import ASSETS, NOBODY, check_malformed

NOW = datetime.now(UTC)


def result(subject: str, kind: str, at: datetime, site_id: str = "north", **measures: float) -> bytes:
    """What probes tell of a run, but for its sequence."""
    told = ProbeResult(
        **{"probe_id": f"{kind}:{subject}", "kind": kind, "due_at": at, "started_at": at, "outcome": "ok"},
        **{"failure": None, "detail": "", "phases": {}, "lag_ms": 0, "vantage": "here", "measures": measures},
    )
    return encode_unsequenced(
        told,
        event_id=new_id(),
        source="/services/probes",
        subject=subject,
        time=at,
        site_id=site_id,
        actor="service:probes",
        correlation_id="probing",
        causation_id=None,
        traceparent=None,
    )


async def counters(steward: Harness, asset: dict[str, Any]) -> dict[str, float]:
    """The asset's counters by name."""
    listed = (await steward.admin.get(f"{ASSETS}/{asset['id']}/usage")).json()["items"]
    return {item["counter"]: item["value"] for item in listed}


async def test_person_reads_a_counter(steward: Harness) -> None:
    """It is kept with who and when, told of, and never replaced by an older reading."""
    drive = await install(steward, "drive")
    url = f"{ASSETS}/{drive['id']}/usage"
    at = NOW - timedelta(hours=1)
    reading = {"counter": "power_on_hours", "value": 31245, "at": at.isoformat()}
    answer = await steward.as_("alice", "operator:north").post(url, json=reading)
    assert answer.status_code == 200, answer.text
    assert answer.json().items() >= {"unit": "hours", "value": 31245, "told_by": "alice"}.items()
    event = await steward.heard.until("usage.recorded")
    assert (event.subject, event.actor, event.data.value) == (drive["id"], "alice", 31245)
    older = reading | {"value": 1, "at": (at - timedelta(hours=1)).isoformat()}
    assert (await steward.admin.post(url, json=older)).status_code == 409
    assert await counters(steward, drive) == {"power_on_hours": 31245}
    assert (await steward.admin.post(url, json={"counter": "power_on_hours", "value": 31246})).status_code == 200


async def test_reading_that_cannot_be_is_refused(steward: Harness) -> None:
    """A counter that there is not, a negative value, the future, another site's asset."""
    drive = await install(steward, "drive")
    url = f"{ASSETS}/{drive['id']}/usage"
    future = {"counter": "cycles", "value": 1, "at": (NOW + timedelta(days=1)).isoformat()}
    for body, field in (
        ({"counter": "smiles", "value": 1}, "counter"),
        ({"counter": "cycles", "value": -1}, "value"),
        (future, "at"),
    ):
        check_malformed(await steward.admin.post(url, json=body), field)
    south = steward.as_("bob", "operator:south")
    assert (await south.post(url, json={"counter": "cycles", "value": 1})).status_code == 404
    assert (await south.get(url)).status_code == 404


async def test_probes_feed_counters_and_time_only_goes_on(steward: Harness, bus: Bus) -> None:
    """Results with measures that feed a counter do; a late one, one of another site or of nothing known does not."""
    drive, switch = await install(steward, "drive"), await install(steward, "switch")
    said = [
        result(drive["id"], "redfish", NOW, life_left_ratio=0.75),
        result(drive["id"], "redfish", NOW - timedelta(minutes=1), life_left_ratio=0.9),
        result(drive["id"], "command", NOW, power_on_hours=100.0, cycles=7.0, other=3.0),
        result(drive["id"], "dicom-echo", NOW),
        result(switch["id"], "snmp", NOW, in_errors_count=3.0, out_errors_count=4.0),
        result(switch["id"], "snmp", NOW + timedelta(minutes=1), site_id="south", charge_ratio=1.0),
        result(NOBODY, "redfish", NOW, life_left_ratio=0.5),
    ]
    raw = [with_sequence(body, number + 1) for number, body in enumerate(said)]
    consumer = Consumer("inventory", steward.pools["inventory"], bus, handler_table(HANDLERS))
    await consumer.apply(Batch("probe.result", 0, list(enumerate(raw))))
    assert await counters(steward, drive) == {"wear_percent": 25, "power_on_hours": 100, "cycles": 7}
    assert await counters(steward, switch) == {"port_errors": 7}
    assert await steward.pools["inventory"].fetchval("SELECT count(*) FROM quarantine") == 0
