"""Suites on a real archive: a result per item and per interface, with evidence that anybody can check."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from services.probes.kinds.storage_classes import WORKLIST_FIND
from tests.integration.conftest import Run, Speak
from tests.integration.probes.suites.stage import RUNS, Hospital, items_of, whole_hospital

SPEED = {"Images come fast": {"images": 4}}
RIS = "RIS/EHR answers a worklist query"


def answer_worklist(event: Any) -> Iterator[tuple[int, Dataset]]:
    """One procedure, for the patient that is asked for."""
    scheduled = Dataset()
    scheduled.Modality = "CT"
    answer = Dataset()
    answer.PatientID = event.identifier.PatientID
    answer.ScheduledProcedureStepSequence = [scheduled]
    yield 0xFF00, answer


@contextmanager
def serving_worklist() -> Iterator[int]:
    """A RIS that answers worklist queries; its port."""
    entity = AE(ae_title="RIS")
    entity.add_supported_context(WORKLIST_FIND)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, answer_worklist)])
    assert server is not None
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()


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
    """Modality, workstation and RIS/EHR each have a verdict of their own; a RIS that is gone fails its own alone."""
    async with whole_hospital(run, speak, tmp_path / "archive") as system:
        with serving_worklist() as ris:
            settings = SPEED | {RIS: {"host": "127.0.0.1", "port": ris, "ae_title": "RIS"}}
            before = await system.run("post-change", settings=settings)
        done = await system.run("post-change", settings=settings)
        expected = dict.fromkeys(("archive", "modality", "workstation", "ris_ehr"), "passed")
        for one, outcome, of_the_ris in ((before, "passed", "passed"), (done, "failed", "failed")):
            told = (await system.told(one["id"])).data
            assert one["interfaces"] == told.interfaces == expected | {"ris_ehr": of_the_ris}
            assert one["outcome"] == told.outcome == outcome, one["detail"]
        [answered] = items_of(before, interface="ris_ehr")
        assert (answered["status"], answered["measures"]["matches"]) == ("0x0000", 1)
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
