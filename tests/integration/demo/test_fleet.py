"""The simulated hospital group speaks real DICOM and can be broken and mended one node at a time."""

import asyncio
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.dul import DULServiceProvider
from pynetdicom.events import Event
from pynetdicom.presentation import build_role

from demo.archive import STUDY_ROOT_FIND, STUDY_ROOT_GET
from demo.fleet import Fleet, Hospital
from demo.images import SIZE, make_study
from demo.node import Node
from services.probes.dicom import EchoResult, Peer, echo
from services.probes.dicom.dimse import VERIFICATION
from services.probes.dicom.negotiation import associate_request
from services.probes.dicom.parameters import Calling, Context
from services.probes.dicom.pdu import ABORT, abort_request
from tests.news import WAIT_SECONDS

TAKEN_AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path)
    fleet.start()
    yield fleet
    fleet.stop()


async def ask(node: Node, ae_title: str | None = None) -> EchoResult:
    return await echo(Peer(node.host, node.port, ae_title or node.ae_title), "STEWARD", WAIT_SECONDS)


def request_to(node: Node) -> bytes:
    """An A-ASSOCIATE-RQ that the node accepts."""
    return associate_request(node.ae_title, Calling(), [Context(VERIFICATION)])


def state_machines() -> list[threading.Thread]:
    """The threads of open connections; they are no daemons, so the process would wait for them."""
    return [thread for thread in threading.enumerate() if isinstance(thread, DULServiceProvider)]


def cpu_seconds_of_fleets() -> float:
    """What the threads that take connections have used so far."""
    listening = {thread.native_id for thread in threading.enumerate() if thread.name.startswith("dicom-")}
    return sum(used.user_time + used.system_time for used in psutil.Process().threads() if used.id in listening)


def query(hospital: Hospital, **keys: str) -> list[Dataset]:
    """The answers of the hospital's archive to a study-level C-FIND."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    for keyword, value in {"StudyInstanceUID": "", "PatientID": "", "PatientName": "", **keys}.items():
        setattr(identifier, keyword, value)
    entity = ApplicationEntity("TESTS")
    entity.add_requested_context(STUDY_ROOT_FIND)
    archive = hospital.archive
    assoc = entity.associate(archive.host, archive.port, ae_title=archive.ae_title)
    assert assoc.is_established
    try:
        answers = list(assoc.send_c_find(identifier, STUDY_ROOT_FIND))
    finally:
        assoc.release()
    assert answers[-1][0].Status == 0x0000
    return [answer for _, answer in answers[:-1] if answer is not None]


def test_a_fleet_of_two_hospitals_and_a_newcomer_is_little_work_to_start(tmp_path: Path) -> None:
    """It is counted in time on the processor, which does not tell of what else the machine is doing."""
    fleet = Fleet(tmp_path)
    start = time.process_time()
    fleet.start()
    took = time.process_time() - start
    try:
        assert [hospital.site_id for hospital in fleet.hospitals] == ["north", "south"]
        assert [[node.role for node in hospital.nodes] for hospital in (*fleet.hospitals, fleet.newcomer)] == [
            ["archive", "modality", "workstation"]
        ] * 3
        assert len({node.port for node in fleet.nodes}) == 9
        assert took < 1.5
    finally:
        fleet.stop()


async def test_every_node_answers_a_c_echo(fleet: Fleet) -> None:
    results = await asyncio.gather(*(ask(node) for node in fleet.nodes))
    assert [result.outcome for result in results] == ["ok"] * 9


async def test_a_node_rejects_callers_that_know_it_by_another_title(fleet: Fleet) -> None:
    result = await ask(fleet.nodes[0], "SOMEBODY_ELSE")
    assert result.failure == "rejected_ae_title"


def test_each_archive_holds_a_first_study_that_its_modality_stored(fleet: Fleet) -> None:
    for hospital in fleet.hospitals:
        stored = [dcmread(path) for path in hospital.archive.folder.glob("*.dcm")] if hospital.archive.folder else []
        assert sorted(image.InstanceNumber for image in stored) == [1, 2, 3]
        assert {image.file_meta.MediaStorageSOPClassUID for image in stored} == {CTImageStorage}
        assert {len(image.PixelData) for image in stored} == {SIZE * SIZE * 2}


def test_an_archive_that_holds_images_gets_no_second_first_study(tmp_path: Path) -> None:
    for _ in range(2):
        fleet = Fleet(tmp_path)
        fleet.start()
        fleet.stop()
    assert len(list(tmp_path.rglob("*.dcm"))) == 9


async def test_a_stopped_node_refuses_and_comes_back_on_its_port(fleet: Fleet) -> None:
    node = fleet.hospitals[0].archive
    port = node.port
    for _ in range(3):
        node.stop()
        node.stop()
        assert not node.is_running
        assert (await ask(node)).failure == "refused"
        node.start()
        node.start()
        assert node.is_running
        assert node.port == port
        assert (await ask(node)).outcome == "ok"


async def test_stopping_a_node_aborts_an_open_association(fleet: Fleet) -> None:
    node = fleet.nodes[0]
    reader, writer = await asyncio.open_connection(node.host, node.port)
    with closing(writer):
        writer.write(request_to(node))
        header = await reader.readexactly(6)
        await reader.readexactly(int.from_bytes(header[2:], "big"))
        await asyncio.to_thread(node.stop)
        abort = await reader.read()
    assert abort[0] == ABORT


async def test_stopping_a_node_ends_connections_that_never_became_associations(fleet: Fleet) -> None:
    node = fleet.nodes[0]
    _, writer = await asyncio.open_connection(node.host, node.port)
    with closing(writer):
        await ask(node)
        await asyncio.to_thread(node.stop)
        assert state_machines() == []


async def test_a_node_that_is_stopped_as_connections_arrive_leaves_nothing_of_them(fleet: Fleet) -> None:
    """However far the acceptance of a connection is, stopping ends it."""
    node = fleet.nodes[0]
    for _ in range(20):
        with socket.create_connection((node.host, node.port)) as connection:
            node.stop()
            assert state_machines() == []
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""
        node.start()


def test_a_connection_is_closed_also_when_its_peer_is_gone_by_then(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer aborts and resets: pynetdicom's own way to close fails, and would leave the socket to the collector."""
    left_to_collector: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", left_to_collector.append)
    node = fleet.nodes[0]
    for _ in range(20):
        with socket.create_connection((node.host, node.port)) as connection:
            connection.sendall(request_to(node))
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(abort_request())
        for thread in state_machines():
            thread.join()
    assert left_to_collector == []


def test_an_archive_finds_studies_by_key_wildcard_and_date(fleet: Fleet) -> None:
    hospital = fleet.hospitals[0]
    study = make_study("another", TAKEN_AT, images=2)
    hospital.modality.send(study, hospital.archive)
    family_name = str(study[0].PatientName).split("^")[0]
    (by_uid,) = query(hospital, StudyInstanceUID=study[0].StudyInstanceUID)
    assert by_uid.PatientID == study[0].PatientID
    assert by_uid.NumberOfStudyRelatedInstances == 2
    assert len(query(hospital)) == 2
    assert by_uid in query(hospital, PatientName=f"{family_name.upper()[:3]}*")
    assert [answer.StudyInstanceUID for answer in query(hospital, StudyDate="20260228-20260301")] == [
        study[0].StudyInstanceUID
    ]
    assert query(hospital, PatientID="NOBODY") == []


def test_an_archive_gives_back_what_was_stored(fleet: Fleet) -> None:
    hospital = fleet.hospitals[1]
    archive = hospital.archive
    study = make_study("to-get", TAKEN_AT)
    hospital.modality.send(study, archive)
    received: dict[str, bytes] = {}

    def keep(event: Event) -> int:
        received[event.dataset.SOPInstanceUID] = event.dataset.PixelData
        return 0x0000

    entity = ApplicationEntity("TESTS")
    entity.add_requested_context(STUDY_ROOT_GET)
    entity.add_requested_context(CTImageStorage)
    assoc = entity.associate(
        archive.host,
        archive.port,
        ae_title=archive.ae_title,
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    )
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = study[0].StudyInstanceUID
    answers = list(assoc.send_c_get(identifier, STUDY_ROOT_GET))
    assoc.release()
    assert answers[-1][0].Status == 0x0000
    assert received == {image.SOPInstanceUID: image.PixelData for image in study}


def test_a_full_or_missing_disk_is_answered_and_nothing_half_written_stays(fleet: Fleet) -> None:
    hospital = fleet.hospitals[0]
    folder = hospital.archive.folder
    assert folder is not None
    folder.rename(folder.with_name("gone"))
    with pytest.raises(ConnectionError, match="did not store"):
        hospital.modality.send(make_study("lost", TAKEN_AT), hospital.archive)
    folder.with_name("gone").rename(folder)
    assert len(list(folder.iterdir())) == 3


def test_an_idle_fleet_uses_next_to_no_cpu(fleet: Fleet) -> None:
    """Its threads alone are counted, in time on the processor: the process has others."""
    assert all(node.is_running for node in fleet.nodes)
    before = cpu_seconds_of_fleets()
    # Idleness can only be seen over time.
    time.sleep(2)
    assert cpu_seconds_of_fleets() - before < 0.06


def test_a_stopped_fleet_leaves_no_thread_that_would_hold_up_the_exit(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.start()
    fleet.stop()
    assert [thread for thread in threading.enumerate() if thread.name.startswith("dicom-")] == []
    assert state_machines() == []


def test_a_fleet_that_can_not_start_stops_what_it_started(tmp_path: Path) -> None:
    fleet, other = Fleet(tmp_path / "one"), Fleet(tmp_path / "two")
    fleet.start()
    other.nodes[-1].port = fleet.nodes[0].port
    with pytest.raises(OSError):
        other.start()
    assert not any(node.is_running for node in other.nodes)
    fleet.stop()
