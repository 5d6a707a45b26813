"""Import and export, disks, processors, network and RAID: from the REST API to the events and KPIs of real peers."""

from datetime import UTC, datetime, timedelta
from glob import glob
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Run, Speak
from tests.integration.probes.checks.ward import Ward, warded
from tests.integration.probes.fleet import listening_node
from tests.integration.probes.history.past import database_of_probes, keep, result, roll
from tests.integration.probes.kinds.serving import serving
from tests.integration.probes.kinds.test_redfish import Bmc, as_user, link
from tests.parts.orthanc import Orthanc
from tests.parts.process import PartMissing, free_port
from tests.parts.snmpd import COMMUNITY, Snmpd

OFTEN: dict[str, Any] = {"interval_seconds": 3, "timeout_seconds": 2.4, "retry_interval_seconds": 3}
SYNOLOGY_RAID = "1.3.6.1.4.1.6574.3.1.1.3.0"
PROCESSORS = {"1.3.6.1.2.1.25.3.3.1.2.9001": ("integer", 99), "1.3.6.1.2.1.25.3.3.1.2.9002": ("integer", 99)}
DISK = {
    "1.3.6.1.2.1.25.2.3.1.2.9001": ("object_id", ".1.3.6.1.2.1.25.2.1.4"),
    "1.3.6.1.2.1.25.2.3.1.3.9001": ("octet_str", '"/archive"'),
    "1.3.6.1.2.1.25.2.3.1.4.9001": ("integer", 4096),
    "1.3.6.1.2.1.25.2.3.1.5.9001": ("integer", 1_000_000),
    "1.3.6.1.2.1.25.2.3.1.6.9001": ("integer", 700_000),
}
"""A row of hrStorageTable (RFC 2790), as a machine in a container may have none of its own."""


@pytest.mark.seed("24")
async def test_rates_of_import_and_export_are_told_by_each_way(run: Run, speak: Speak, tmp_path: Path) -> None:
    """C-STORE, C-GET and C-MOVE, STOW-RS and WADO-RS of an Orthanc; a rate that is too low is an alert of its own."""
    plugins = glob("/usr/lib/orthanc/libOrthancDicomWeb.so*")
    if not plugins:
        raise PartMissing("Orthanc's DICOMweb plugin is not installed: parts/install orthanc-dicomweb")
    port = free_port()
    known = {"steward": ("STEWARD", "127.0.0.1", port)}
    batch = {"images": 8, "image_size": 256}
    async with warded(run, speak, tmp_path, probe_listen_host="127.0.0.1", probe_listen_port=port) as ward:
        with Orthanc(tmp_path / "orthanc", peers=known, plugins=plugins[:1]) as archive:
            node = {"host": "127.0.0.1", "port": archive.port, "ae_title": archive.ae_title}
            asked: list[tuple[str, dict[str, Any], str | None]] = [
                ("dicom-roundtrip", {**node, **batch, "retrieve": "get"}, "get"),
                ("dicom-roundtrip", {**node, **batch, "retrieve": "move"}, "move"),
                ("dicomweb", {"url": f"{archive.url}/dicom-web", **batch}, None),
            ]
            for kind, settings, way in asked:
                told = await ward.told(await ward.check(kind, settings, interval_seconds=600, name=f"{kind} {way}"))
                assert (told.outcome, told.facts.get("retrieve")) == ("ok", way), told.detail
                for direction in ("store", "retrieve"):
                    instances = told.measures[f"{direction}_instances_per_second"]
                    assert instances > 0
                    assert told.measures[f"{direction}_bytes_per_second"] >= instances * 2 * 256 * 256
            slow = {"store_bytes_per_second": {"warning": 1e12, "critical": 1e11}}
            await ward.check("dicom-roundtrip", {**node, "label": "slow"}, limits=slow, **OFTEN)
            alert = await ward.steward.heard.until("alert.raised")
    assert (alert.subject, alert.data.severity) == (ward.system, "critical")
    assert "store_bytes_per_second" in str(alert.data)


@pytest.mark.seed("10")
async def test_storage_network_and_load_are_measured_charted_limited_and_foretold(
    run: Run, speak: Speak, database: str, tmp_path: Path
) -> None:
    """An SNMP agent's disks and processors, and the time to a port: results, a history, an alert, days to full."""
    with Snmpd(tmp_path, PROCESSORS | DISK) as agent, listening_node() as node:
        async with warded(run, speak, tmp_path) as ward:
            storage = await ward.check("snmp", by_community(ward, agent, "storage"))
            load = await ward.check("snmp", by_community(ward, agent, "load"), name="Load", **OFTEN)
            latency = await ward.check("tcp", {"host": node.host, "port": node.port}, **OFTEN)
            assert 0 < (await ward.told(storage)).measures["used_ratio"] <= 1
            assert (await ward.told(load)).measures["load_ratio"] == 0.99
            assert (await ward.told(latency)).phases["tcp"] > 0
            alert = await ward.steward.heard.until("alert.raised", lambda event: event.data.check == "Load:load_ratio")
            assert (alert.subject, alert.data.severity) == (ward.system, "critical")
            for probe_id, measure in ((storage, "used_ratio"), (load, "load_ratio"), (latency, "tcp")):
                assert await charted(ward, probe_id, measure), measure
            await fill_up(database, ward, storage)
            [told] = (await kpi(ward, "forecast", probe_id=storage))["items"]
    assert told["verdict"] == "filling"
    assert told["per_day"] == pytest.approx(0.01, rel=0.05)
    assert told["earliest"] <= told["full_at"] <= told["latest"]


@pytest.mark.seed("20")
async def test_raid_that_is_degraded_and_that_rebuilds_is_told(run: Run, speak: Speak, tmp_path: Path) -> None:
    """By SNMP of a storage box and by Redfish of a server: well, degraded, rebuilding, failed, each in its words."""
    controller = Bmc()
    controller.resources["/Systems/1/Storage/1"]["Volumes"] = link("/Volumes")
    controller.resources["/Volumes"] = {"Members": [link("/Volumes/1")]}
    controller.resources["/Volumes/1"] = {"Name": "Images", "Status": {"State": "Enabled", "Health": "OK"}}
    async with serving(controller.routes) as url, warded(run, speak, tmp_path) as ward:
        for state, outcome, words in (
            (1, "ok", ""),
            (11, "degraded", "RAID 0 is degraded"),
            (2, "degraded", "rebuild"),
        ):
            folder = tmp_path / str(state)
            folder.mkdir()
            with Snmpd(folder, {SYNOLOGY_RAID: ("integer", state)}) as agent:
                box = by_community(ward, agent, "synology")
                told = await ward.told(await ward.check("snmp", box, name=f"RAID {state}"))
            assert told.outcome == outcome, told.detail
            assert words in told.detail
        server = await ward.check("redfish", as_user(url, password="north.word"), **OFTEN)
        first = await ward.told(server)
        assert (first.outcome, first.measures["volumes"]) == ("ok", 1), first.detail
        controller.resources["/Volumes/1"] |= {
            "Status": {"State": "Enabled", "Health": "Warning"},
            "Operations": [{"Operation": "Rebuild", "OperationName": "Rebuild", "PercentageComplete": 43}],
        }
        rebuilding = await ward.told(server, after=first.due_at + timedelta(seconds=1))
        assert (rebuilding.outcome, rebuilding.measures["volumes_rebuilding"]) == ("degraded", 1)
        assert "Images is rebuilding, 43 % done" in rebuilding.detail
        controller.resources["/Drives/2"]["Status"] = {"State": "Enabled", "Health": "Critical"}
        alert = await ward.steward.heard.until("alert.raised", lambda event: event.data.check == "Its redfish")
    assert alert.subject == ward.system


def by_community(ward: Ward, agent: Snmpd, preset: str) -> dict[str, Any]:
    """How to ask the agent by 2c."""
    (ward.secrets / "north.agent").write_text(COMMUNITY)
    return {"host": "127.0.0.1", "port": agent.port, "community": "north.agent", "presets": [preset]}


async def kpi(ward: Ward, what: str, **query: Any) -> Any:
    """What REST answers to a question about a probe."""
    answer = await ward.steward.admin.get(f"/probes/v1/{what}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def charted(ward: Ward, probe_id: str, measure: str) -> list[Any]:
    """The points of the last minutes, as a chart shows them."""
    starts_at = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    [series] = (await kpi(ward, "history", probe_id=probe_id, measure=measure, **{"from": starts_at}))["items"]
    points: list[Any] = series["points"]
    return points


async def fill_up(database: str, ward: Ward, probe_id: str) -> None:
    """Gives the probe a past: 20 days in which its disk filled by 1 % a day."""
    async with database_of_probes(database) as pool:
        now = datetime.now(UTC)
        starts_at = now - timedelta(days=20)
        await pool.execute("SELECT provide_partitions($1, $2)", starts_at, now)
        fill = [(starts_at + number * timedelta(hours=6), 0.5 + number / 400) for number in range(80)]
        past = [result(at, probe_id, subject=ward.system, measures={"used_ratio": ratio}) for at, ratio in fill]
        await keep(pool, past, now=now)
        await roll(pool, now)
