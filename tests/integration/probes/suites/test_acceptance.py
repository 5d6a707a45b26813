"""Suites on a real archive: a result per item and per interface, with evidence that anybody can check."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.integration.conftest import Run, Speak
from tests.integration.probes.suites.stage import RUNS, Hospital, items_of, whole_hospital

SPEED = {"Images come fast": {"images": 4}}
RIS = "RIS/EHR answers a worklist query"


async def evidence_of(system: Hospital, run_id: str, sha256: str) -> bytes:
    """What was kept, checked against its name."""
    answer = await system.operator.get(f"{RUNS}/{run_id}/evidence/{sha256}")
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).hexdigest() == sha256
    return answer.content


@pytest.mark.seed("73")
async def test_suite_on_a_real_archive_has_a_result_per_item(run: Run, speak: Speak, tmp_path: Path) -> None:
    """Import, export, query/retrieve and reporting on Orthanc: each item ran once, passed, and kept what it saw."""
    async with whole_hospital(run, speak, tmp_path / "archive") as system:
        done = await system.run("post-change", settings=SPEED)
        told = (await system.told(done["id"])).data
        assert done["outcome"] == told.outcome == "passed", done["detail"]
        for function in ("import", "export", "query_retrieve", "reporting", "performance", "connectivity"):
            ran = [item for item in items_of(done, function=function) if item["verdict"] != "not_run"]
            assert ran, function
            for item in ran:
                assert (item["verdict"], item["outcome"], item["attempts"]) == ("passed", "ok", 1), item
                kept = json.loads(await evidence_of(system, done["id"], item["evidence"]))
                assert kept["observation"]["detail"] == item["detail"]
                assert kept["observation"]["phases"] == item["phases"] != {}
            assert told.functions[function] == done["functions"][function] == "passed"
        assert [one.name for one in told.items] == [one["name"] for one in done["items"]]
        report = json.loads(await evidence_of(system, done["id"], told.report))
        assert [one["verdict"] for one in report["items"]] == [one["verdict"] for one in done["items"]]


@pytest.mark.seed("74")
async def test_suite_has_a_result_per_interface(run: Run, speak: Speak, tmp_path: Path) -> None:
    """Modality, workstation and RIS/EHR each have a verdict of their own: of two that answer and one that does not."""
    async with whole_hospital(run, speak, tmp_path / "archive") as system:
        nobody = {"host": "127.0.0.1", "port": 1, "ae_title": "RIS"}
        done = await system.run("post-change", settings=SPEED | {RIS: nobody})
        told = (await system.told(done["id"])).data
        expected = {"archive": "passed", "modality": "passed", "workstation": "passed", "ris_ehr": "failed"}
        assert done["interfaces"] == told.interfaces == expected
        assert done["outcome"] == told.outcome == "failed"
        [refused] = items_of(done, interface="ris_ehr")
        assert (refused["verdict"], refused["failure"]) == ("failed", "refused")
        by_interface = {one.interface: one for one in told.items if one.function == "connectivity"}
        assert by_interface["modality"].subject == system.nodes["ct-1"]
        assert by_interface["workstation"].subject == system.nodes["reading-1"]
        assert by_interface["archive"].subject == system.nodes["north-pacs"]


async def test_acceptance_suite_passes_on_orthanc(run: Run, speak: Speak, tmp_path: Path) -> None:
    """All of it: SOP classes, import, export by C-MOVE to us, storage commitment, reporting, speed."""
    async with whole_hospital(run, speak, tmp_path / "archive") as system:
        done = await system.run("acceptance", settings=SPEED)
        left_out = [item["interface"] for item in done["items"] if item["verdict"] != "passed"]
        assert (done["outcome"], left_out) == ("passed", ["ris_ehr"]), done["detail"]


async def test_each_edge_of_the_network_plan_is_proved_by_an_association(
    run: Run, speak: Speak, tmp_path: Path
) -> None:
    """Every caller of the plan associates under its own AE title with everyone it is to reach."""
    async with whole_hospital(run, speak, tmp_path / "archive") as system:
        done = await system.run("network")
        edges = {item["subject_name"]: item for item in items_of(done, kind="dicom-conformance")}
        assert set(edges) == {"ct-1 → north-pacs", "reading-1 → north-pacs", "north-pacs → reading-1"}
        assert {item["verdict"] for item in edges.values()} == {"passed"}
        assert edges["ct-1 → north-pacs"]["settings"]["calling_ae_title"] == "CT_1"
        assert done["outcome"] == "passed"
