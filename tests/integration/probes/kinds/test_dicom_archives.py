"""Query, round trip, retrieval and commitment on real archives, and on some that lie, lack a service or are full."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydicom.dataset import Dataset

from services.probes.dicom import Peer
from services.probes.kinds import KINDS
from services.probes.kinds.domain import Observation
from services.probes.kinds.storage_classes import STUDY_ROOT_GET
from services.probes.kinds.synthetic import PATIENT_ID, PATIENT_NAME
from services.probes.settings import ProbesSettings
from tests.integration.probes.dicom.peers import listening
from tests.integration.probes.kinds.dishonest import Archive, serving
from tests.news import WAIT_SECONDS
from tests.parts.certificates import make_certificate
from tests.parts.dcmtk import Dcmqrscp
from tests.parts.orthanc import Orthanc
from tests.parts.process import free_port
from tests.parts.pynetdicom_archive import PynetdicomArchive


class Stage(NamedTuple):
    """Two real archives that know us as a destination, and the port at which we then listen."""

    orthanc: Orthanc
    dcmqrscp: Dcmqrscp
    port: int

    def peer(self, name: str) -> Peer:
        """One of the two."""
        part = self.orthanc if name == "orthanc" else self.dcmqrscp
        return Peer("127.0.0.1", part.port, part.ae_title)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Both archives, for the tests of this file."""
    port = free_port()
    known = {"steward": ("STEWARD", "127.0.0.1", port)}
    with ExitStack() as stack:
        orthanc = stack.enter_context(Orthanc(tmp_path_factory.mktemp("orthanc"), peers=known))
        dcmqrscp = stack.enter_context(Dcmqrscp(tmp_path_factory.mktemp("dcmqrscp"), peers=known))
        yield Stage(orthanc, dcmqrscp, port)


async def ask(
    kind: str,
    peer: Peer,
    port: int = 0,
    timeout: float = WAIT_SECONDS,
    secrets: Path | None = None,
    **settings: Any,
) -> Observation:
    """What one run of a kind sees."""
    configuration = ProbesSettings.model_construct(
        probe_ae_title="STEWARD",
        probe_listen_host="127.0.0.1",
        probe_listen_port=port,
        probe_secrets=str(secrets) if secrets else None,
    )
    [chosen] = [one for one in KINDS if one.name == kind]
    node = {"host": peer.host, "port": peer.port, "ae_title": peer.ae_title}
    return await chosen.configured(configuration).run(chosen.settings.model_validate(node | settings), timeout)


@pytest.mark.parametrize("archive", ["orthanc", "dcmqrscp"])
@pytest.mark.parametrize("thing", ["ct", "sr"])
@pytest.mark.parametrize(("way", "used"), [("auto", "get"), ("get", "get"), ("move", "move")])
async def test_what_a_real_archive_stores_comes_back(
    stage: Stage, archive: str, thing: str, way: str, used: str
) -> None:
    """An image and a report, by C-GET and by C-MOVE to us: the content is the same, each step is timed."""
    seen = await ask("dicom-roundtrip", stage.peer(archive), stage.port, object=thing, retrieve=way)
    assert (seen.outcome, seen.failure, seen.facts.get("retrieve")) == ("ok", None, used), seen.detail
    assert {"store", "find", "retrieve", "association", "release"} <= set(seen.phases)
    assert len(seen.facts["sha256"]) == 64


async def test_round_trips_do_not_let_the_archive_grow(stage: Stage) -> None:
    """However often it runs, there is one study with as many instances as the ring has places, of nobody."""
    for _ in range(12):
        seen = await ask("dicom-roundtrip", stage.peer("orthanc"), ring=3, label="ring")
        assert seen.outcome == "ok", seen.detail
    studies = [stage.orthanc.get(f"/studies/{study}") for study in stage.orthanc.get("/studies")]
    assert {study["PatientMainDicomTags"]["PatientID"] for study in studies} == {PATIENT_ID}
    assert {study["PatientMainDicomTags"]["PatientName"] for study in studies} == {PATIENT_NAME}
    counts = [
        sum(len(stage.orthanc.get(f"/series/{series}")["Instances"]) for series in study["Series"]) for study in studies
    ]
    assert 3 in counts
    assert max(counts) <= 16


@pytest.mark.parametrize("archive", ["orthanc", "dcmqrscp"])
@pytest.mark.parametrize("way", ["get", "move"])
async def test_retrieval_of_a_study_is_measured(stage: Stage, archive: str, way: str) -> None:
    """The synthetic study is stored once and then only fetched: bytes, images, the first image, bytes a second."""
    peer = stage.peer(archive)
    first = await ask("dicom-retrieve", peer, stage.port, images=6, retrieve=way)
    again = await ask("dicom-retrieve", peer, stage.port, images=6, retrieve=way)
    for seen in (first, again):
        assert (seen.outcome, seen.facts.get("retrieve")) == ("ok", way), seen.detail
        assert seen.measures["instances"] == 6
        assert seen.measures["bytes"] > 6 * 512 * 1024
        assert seen.measures["bytes_per_second"] > 0
        assert 0 < seen.measures["first_image_seconds"] <= seen.measures["retrieve_seconds"]
    assert "prepare" not in again.phases


async def test_study_that_is_named_is_found_and_retrieved(stage: Stage) -> None:
    """A known study, by its UID: found once, and all of it fetched."""
    known = (await ask("dicom-retrieve", stage.peer("orthanc"), images=6)).facts["study"]
    found = await ask("dicom-find", stage.peer("orthanc"), study_uid=known)
    assert (found.outcome, found.measures["matches"], found.status) == ("ok", 1, "0x0000")
    assert {"first_answer", "final_answer"} <= set(found.phases)
    fetched = await ask("dicom-retrieve", stage.peer("orthanc"), study_uid=known)
    assert (fetched.outcome, fetched.measures["instances"]) == ("ok", 6)


@pytest.mark.parametrize("archive", ["orthanc", "dcmqrscp"])
async def test_queries_of_real_archives(stage: Stage, archive: str) -> None:
    """Both models answer; a study that is not there fails; a worklist that is not served is told."""
    await ask("dicom-roundtrip", stage.peer(archive))
    by_patient = await ask("dicom-find", stage.peer(archive), model="patient_root", query={"PatientID": PATIENT_ID})
    assert (by_patient.outcome, by_patient.measures["matches"]) == ("ok", 1), by_patient.detail
    absent = await ask("dicom-find", stage.peer(archive), study_uid="1.2.3.4.5")
    assert (absent.outcome, absent.failure) == ("failed", "not_found")
    unserved = await ask("dicom-find", stage.peer(archive), model="worklist")
    assert (unserved.outcome, unserved.failure) == ("failed", "context_rejected")
    assert "Modality Worklist" in unserved.detail


async def test_commitment_of_real_archives(stage: Stage) -> None:
    """Orthanc commits, over an association of its own; dcmqrscp does not offer the service."""
    kept = await ask("dicom-commitment", stage.peer("orthanc"), stage.port)
    assert (kept.outcome, kept.failure) == ("ok", None), kept.detail
    assert 0 < kept.measures["commitment_seconds"] < WAIT_SECONDS
    unserved = await ask("dicom-commitment", stage.peer("dcmqrscp"), stage.port)
    assert (unserved.outcome, unserved.failure) == ("failed", "context_rejected")


def drops(_: Dataset) -> None:
    """Keeps nothing."""


def changes_a_pixel(ds: Dataset) -> Dataset:
    """Keeps an image of which the last pixel is another."""
    ds.PixelData = ds.PixelData[:-1] + bytes([ds.PixelData[-1] ^ 1])
    return ds


def loses_the_pixels(ds: Dataset) -> Dataset:
    """Keeps an image without its picture."""
    del ds.PixelData
    return ds


def changes_a_word(ds: Dataset) -> Dataset:
    """Keeps a report that says something else."""
    ds.ContentSequence[0].TextValue += "!"
    return ds


FAILED_MOVES = ("move_destination_unknown", "unable_to_process", "out_of_resources", "retrieved_with_failures")
FAILURES: Mapping[str, tuple[Archive, dict[str, Any], str, str]] = {
    "drops what it says it stored": (Archive(keeps=drops), {}, "not_found", "find"),
    "changes a pixel": (Archive(keeps=changes_a_pixel), {}, "altered", "compare"),
    "loses the pixels": (Archive(keeps=loses_the_pixels), {}, "altered", "compare"),
    "changes a word": (Archive(keeps=changes_a_word), {"object": "sr"}, "altered", "compare"),
    "does not find what it has": (Archive(finds=False), {}, "not_found", "find"),
    "says that it sent and did not": (Archive(sends=False), {}, "not_retrieved", "retrieve"),
    "has no C-GET": (Archive(lacks=(STUDY_ROOT_GET,)), {"retrieve": "get"}, "context_rejected", "retrieve"),
    "does not know us": (Archive(), {"retrieve": "move"}, "move_destination_unknown", "retrieve"),
    "is full": (Archive(store_status=0xA700), {}, "out_of_resources", "store"),
    "takes it for another class": (Archive(store_status=0xA900), {}, "data_set_mismatch", "store"),
    "cannot understand": (Archive(store_status=0xC123), {}, "unable_to_process", "store"),
    "does not let us": (Archive(store_status=0x0124), {}, "not_authorized", "store"),
    "has no means to search": (Archive(find_status=0xA700), {}, "out_of_resources", "find"),
    "does not understand the query": (Archive(find_status=0xA900), {}, "identifier_mismatch", "find"),
    "cannot count": (Archive(get_status=0xA701), {"retrieve": "get"}, "out_of_resources", "retrieve"),
    "cannot send": (Archive(get_status=0xA702), {"retrieve": "get"}, "out_of_resources", "retrieve"),
}


@pytest.mark.parametrize("what", FAILURES)
async def test_archive_that_does_not_keep_its_part_is_found_out(what: str) -> None:
    """The failure has a word, and the detail names the step that failed."""
    archive, settings, failure, step = FAILURES[what]
    with serving(archive) as peer:
        seen = await ask("dicom-roundtrip", peer, settle_seconds=0, **settings)
    assert (seen.outcome, seen.failure, seen.facts.get("step")) == ("failed", failure, step), seen.detail
    assert seen.detail.startswith("retrieve:" if step == "compare" else f"{step}:")


async def test_archive_without_get_is_asked_to_move() -> None:
    """`auto` falls back to C-MOVE, to our own listener."""
    port = free_port()
    with serving(Archive(lacks=(STUDY_ROOT_GET,), knows={"STEWARD": port})) as peer:
        seen = await ask("dicom-roundtrip", peer, port)
    assert (seen.outcome, seen.facts.get("retrieve")) == ("ok", "move"), seen.detail


async def test_warning_of_a_store_is_told_when_the_rest_is_right() -> None:
    """An archive that says that it changed something, while the pixels are the same, is degraded."""
    with serving(Archive(store_status=0xB000)) as peer:
        seen = await ask("dicom-roundtrip", peer)
    assert (seen.outcome, seen.failure, seen.status) == ("degraded", "coerced", "0xB000")


async def test_archive_that_never_tells_of_its_commitment_is_found_out() -> None:
    """It takes the request and reports nothing."""
    with serving(Archive()) as peer:
        seen = await ask("dicom-commitment", peer, answer_seconds=1)
    assert (seen.outcome, seen.failure) == ("failed", "not_answered"), seen.detail


async def test_study_that_comes_in_part_is_found_out() -> None:
    """The archive says that it has more than it sends."""
    with serving(Archive()) as peer:
        whole = await ask("dicom-retrieve", peer, images=3)
        assert whole.outcome == "ok", whole.detail
    forgetful = Archive()
    with serving(forgetful) as peer:
        await ask("dicom-retrieve", peer, images=3)
        forgetful.sends = False
        nothing = await ask("dicom-retrieve", peer, images=3)
        assert (nothing.outcome, nothing.failure) == ("failed", "not_retrieved"), nothing.detail


async def test_round_trips_side_by_side_do_not_mix_up_what_comes() -> None:
    """Two archives that send to the same listener at once: each check takes what comes from its own."""
    port = free_port()
    with serving(Archive(knows={"STEWARD": port})) as one, serving(Archive(knows={"STEWARD": port})) as other:
        seen = await asyncio.gather(
            *(
                ask("dicom-roundtrip", peer, port, retrieve="move", label=label)
                for peer, label in ((one, "a"), (other, "b"), (one, "c"))
            )
        )
    assert [one.outcome for one in seen] == ["ok"] * 3, [one.detail for one in seen]


async def test_checks_side_by_side_may_call_by_titles_of_their_own() -> None:
    """Each archive sends to the title that it was asked for, all of them to the one port."""
    port = free_port()
    with serving(Archive(knows={"CT_1": port})) as one, serving(Archive(knows={"CT_2": port})) as other:
        asked = ((replace(one, ae_title="ONE"), "CT_1"), (replace(other, ae_title="OTHER"), "CT_2"))
        seen = await asyncio.gather(
            *(ask("dicom-roundtrip", peer, port, retrieve="move", calling_ae_title=title) for peer, title in asked)
        )
    assert [one.outcome for one in seen] == ["ok"] * 2, [one.detail for one in seen]


async def test_port_that_is_taken_is_our_own_fault(stage: Stage) -> None:
    """Where we can't listen, nothing is said against the archive."""

    async def idle(*_: object) -> None:
        pass

    async with listening(idle) as taken:
        seen = await ask("dicom-roundtrip", stage.peer("orthanc"), taken.port, retrieve="move")
    assert (seen.outcome, seen.failure) == ("probe_error", "local"), seen.detail


async def test_archive_behind_tls_that_wants_a_user(tmp_path: Path) -> None:
    """Certificates, key and passcode are secrets by name; a wrong passcode is rejected, a missing one our own fault."""
    certificate = make_certificate(tmp_path)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name, file in (("ca.pem", certificate.ca), ("own.pem", certificate.chain), ("own.key", certificate.key)):
        (secrets / name).write_bytes(file.read_bytes())
    (secrets / "right").write_text("opensesame\n")
    (secrets / "wrong").write_text("guess\n")
    tls = {"ca": "ca.pem", "certificate": "own.pem", "key": "own.key"}
    with PynetdicomArchive(tmp_path / "part", user=("steward", "opensesame"), certificate=certificate) as archive:
        peer = Peer("127.0.0.1", archive.port, archive.ae_title)

        async def seen(kind: str, passcode: str, **more: Any) -> Observation:
            user = {"name": "steward", "passcode": passcode}
            return await ask(kind, peer, secrets=secrets, tls=tls, user=user, **more)

        echoed = await seen("dicom-echo", "right")
        assert (echoed.outcome, echoed.failure) == ("ok", None), echoed.detail
        assert echoed.phases["tls"] > 0
        strange = await seen("dicom-echo", "wrong")
        assert strange.rejection == (2, 2, 1), strange.detail
        fetched = await seen("dicom-retrieve", "right", images=2)
        assert (fetched.outcome, fetched.measures["instances"]) == ("ok", 2), fetched.detail
        assert fetched.phases["tls"] > 0
        kept = await seen("dicom-commitment", "right")
        assert (kept.outcome, kept.failure) == ("ok", None), kept.detail
        refused = await seen("dicom-retrieve", "wrong")
        assert (refused.facts["step"], refused.rejection) == ("find", (2, 2, 1)), refused.detail
        missing = await seen("dicom-retrieve", "forgotten")
        assert (missing.outcome, missing.failure) == ("probe_error", "secret"), missing.detail
        told = [str(one) for one in (echoed, strange, fetched, kept, refused, missing)]
        assert not [text for text in told if "opensesame" in text or "guess" in text]


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing."""
    await reader.read()


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says what is no DICOM."""
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ends the connection when it has been asked."""
    await reader.read(1)


@pytest.mark.parametrize("kind", ["dicom-find", "dicom-roundtrip", "dicom-retrieve", "dicom-commitment"])
async def test_hostile_peer_is_given_up_in_time(kind: str) -> None:
    """One that says nothing, that speaks something else, or hangs up: each has its word."""
    for behave, failure in ((hang, "timeout_association"), (babble, "protocol"), (hang_up, "closed")):
        async with listening(behave) as peer:
            began = time.monotonic()
            seen = await ask(kind, peer, timeout=0.5)
        assert (seen.outcome, seen.failure) == ("failed", failure), seen.detail
        assert time.monotonic() - began < WAIT_SECONDS


async def test_orthanc_without_a_way_to_us(tmp_path: Path) -> None:
    """It does not know our AE title; or it knows us at a port where nobody listens."""
    elsewhere = {"steward": ("STEWARD", "127.0.0.1", free_port())}
    for number, peers in enumerate(({}, elsewhere)):
        with Orthanc(tmp_path / str(number), peers=peers) as archive:
            peer = Peer("127.0.0.1", archive.port, archive.ae_title)
            seen = await ask("dicom-roundtrip", peer, free_port(), retrieve="move")
        assert (seen.outcome, seen.facts["step"]) == ("failed", "retrieve")
        assert seen.failure in FAILED_MOVES, seen.detail
