"""Every service of the user agent against archives as hospitals run them, in both uncompressed transfer syntaxes."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from demo.images import make_study
from services.probes.dicom import (
    COMMITMENT_PUSH_MODEL,
    Calling,
    Context,
    DicomFailure,
    Peer,
    Rejection,
    UserIdentity,
    associate,
    encode,
    listen,
)
from services.probes.dicom.dimse import VERIFICATION
from tests.integration.probes.dicom.watch import leaving_nothing
from tests.news import WAIT_SECONDS
from tests.parts.dcmtk import Dcmqrscp
from tests.parts.orthanc import Orthanc
from tests.parts.process import free_port
from tests.parts.pynetdicom_archive import STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, PynetdicomArchive

TAKEN_AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
US = "STEWARD"
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
TASKS = 4

Archive = Orthanc | Dcmqrscp | PynetdicomArchive


@dataclass(frozen=True)
class Site:
    """An archive that knows us as STEWARD at ``port`` of this machine."""

    archive: Archive
    port: int

    @property
    def peer(self) -> Peer:
        """The archive to associate with."""
        return Peer("127.0.0.1", self.archive.port, self.archive.ae_title)

    @property
    def areas(self) -> list[Peer]:
        """The archive four times over; DCMTK's by titles of its own, whose images it can take at the same time."""
        titles = self.archive.more_titles if isinstance(self.archive, Dcmqrscp) else [self.archive.ae_title] * TASKS
        return [Peer("127.0.0.1", self.archive.port, title) for title in titles]


@pytest.fixture(scope="module", params=["orthanc", "dcmqrscp", "pynetdicom"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    port, folder = free_port(), tmp_path_factory.mktemp(request.param)
    with archive_of(request.param, folder, port) as archive:
        yield Site(archive, port)


def archive_of(name: str, folder: Path, port: int) -> Archive:
    if name == "orthanc":
        return Orthanc(folder, peers={"us": (US, "127.0.0.1", port)})
    if name == "dcmqrscp":
        areas = [f"AREA{number}" for number in range(TASKS)]
        return Dcmqrscp(folder, peers={"us": (US, "127.0.0.1", port)}, more_titles=areas)
    return PynetdicomArchive(folder, peers={US: ("127.0.0.1", port)})


def study(images: int = 3) -> list[Dataset]:
    return make_study(str(generate_uid()), TAKEN_AT, images=images)


def of_study(ds: Dataset) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = ds.StudyInstanceUID
    return query


async def keep(peer: Peer, images: list[Dataset], syntax: str = ExplicitVRLittleEndian) -> None:
    async with associate(peer, [Context(CTImageStorage, [syntax])], timeout=WAIT_SECONDS) as assoc:
        assert [await assoc.store(image) for image in images] == [0x0000] * len(images)


async def fetch(peer: Peer, images: list[Dataset]) -> list[Dataset]:
    contexts = [Context(STUDY_ROOT_GET), Context(CTImageStorage, [ExplicitVRLittleEndian], as_scp=True)]
    async with associate(peer, contexts, timeout=WAIT_SECONDS) as assoc:
        return [instance.decoded() async for instance in assoc.get(STUDY_ROOT_GET, of_study(images[0]))]


def pixels(images: list[Dataset]) -> dict[str, bytes]:
    return {str(image.SOPInstanceUID): image.PixelData for image in images}


async def test_many_echoes_over_one_association(site: Site) -> None:
    async with leaving_nothing():
        async with associate(site.peer, [Context(VERIFICATION)], timeout=WAIT_SECONDS) as assoc:
            assert [await assoc.echo() for _ in range(3)] == [0x0000] * 3
        assert list(assoc.phases) == ["dns", "tcp", "association", "dimse", "release"]


async def test_images_stored_in_a_row_are_each_answered_and_kept(site: Site) -> None:
    images = study()
    contexts = [Context(CTImageStorage, SYNTAXES), Context(STUDY_ROOT_FIND)]
    async with associate(site.peer, contexts, Calling(US)) as assoc:
        assert [status async for status in assoc.store_each(iter(images))] == [0x0000] * len(images)
        query = of_study(images[0])
        query.NumberOfStudyRelatedInstances = None
        assert [found.StudyInstanceUID async for found in assoc.find(STUDY_ROOT_FIND, query)] == [
            images[0].StudyInstanceUID
        ]


async def test_images_in_a_row_that_cannot_be_fetched_leave_the_association_to_be_aborted(site: Site) -> None:
    def broken() -> Iterator[Dataset]:
        yield study(1)[0]
        raise OSError("the disk is gone")

    async def stored() -> list[int]:
        async with associate(site.peer, [Context(CTImageStorage, SYNTAXES)], Calling(US)) as assoc:
            return [status async for status in assoc.store_each(broken())]

    async with leaving_nothing():
        with pytest.raises(OSError, match="the disk is gone"):
            await stored()


@pytest.mark.parametrize("syntax", SYNTAXES, ids=["explicit", "implicit"])
async def test_what_was_stored_is_found_and_comes_back_by_c_get_with_the_same_pixels(site: Site, syntax: str) -> None:
    images = study()
    await keep(site.peer, images, syntax)
    contexts = [
        Context(STUDY_ROOT_FIND),
        Context(STUDY_ROOT_GET),
        Context(CTImageStorage, [syntax], as_scp=True),
    ]
    async with leaving_nothing(), associate(site.peer, contexts, timeout=WAIT_SECONDS) as assoc:
        found = [answer async for answer in assoc.find(STUDY_ROOT_FIND, of_study(images[0]))]
        assert [answer.StudyInstanceUID for answer in found] == [images[0].StudyInstanceUID]
        assert assoc.last_status == 0x0000
        got = [instance async for instance in assoc.get(STUDY_ROOT_GET, of_study(images[0]))]
        assert assoc.last_status == 0x0000
        assert (assoc.sub_operations.completed, assoc.sub_operations.failed) == (3, 0)
    assert {instance.transfer_syntax for instance in got} == {syntax}
    assert pixels([instance.decoded() for instance in got]) == pixels(images)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=["explicit", "implicit"])
async def test_c_move_sends_to_our_listener(site: Site, syntax: str) -> None:
    images = study()
    await keep(site.peer, images)
    async with leaving_nothing():
        async with (
            listen(US, port=site.port, transfer_syntaxes=[syntax], timeout=WAIT_SECONDS) as scp,
            associate(site.peer, [Context(STUDY_ROOT_MOVE)], timeout=WAIT_SECONDS) as assoc,
        ):
            answers = [answer async for answer in assoc.move(STUDY_ROOT_MOVE, of_study(images[0]), US)]
        received = [instance async for instance in scp.received()]
    assert answers[-1].status == assoc.last_status == 0x0000
    assert answers[-1].sub_operations.completed == 3
    assert {one.encoded.transfer_syntax for one in received} == {syntax}
    assert pixels([one.encoded.decoded() for one in received]) == pixels(images)
    assert {one.calling_ae_title for one in received} == {site.archive.ae_title}
    assert list(scp.failures) == []


async def test_a_destination_that_the_archive_does_not_know_is_told(site: Site) -> None:
    images = study(images=1)
    await keep(site.peer, images)
    async with associate(site.peer, [Context(STUDY_ROOT_MOVE)], timeout=WAIT_SECONDS) as assoc:
        answers = [answer async for answer in assoc.move(STUDY_ROOT_MOVE, of_study(images[0]), "NOBODY")]
    assert [answer.status for answer in answers] == [assoc.last_status]
    assert assoc.last_status == (0xC000 if isinstance(site.archive, Orthanc) else 0xA801)


async def test_an_unknown_study_has_no_match(site: Site) -> None:
    async with associate(site.peer, [Context(STUDY_ROOT_FIND)], timeout=WAIT_SECONDS) as assoc:
        assert [answer async for answer in assoc.find(STUDY_ROOT_FIND, of_study(study()[0]))] == []
        assert assoc.last_status == 0x0000


async def test_what_was_refused_is_told_and_the_rest_goes_on(site: Site) -> None:
    contexts = [Context("1.2.840.10008.9.9.9"), Context(VERIFICATION)]
    async with associate(site.peer, contexts, timeout=WAIT_SECONDS) as assoc:
        assert [context.is_accepted for context in assoc.contexts] == [False, True]
        with pytest.raises(DicomFailure) as refused:
            await anext(assoc.find("1.2.840.10008.9.9.9", Dataset()))
        assert refused.value.failure == "context_rejected"
        assert await assoc.echo() == 0x0000


async def test_a_find_that_is_left_early_aborts_the_association(site: Site) -> None:
    images = study(images=1)
    await keep(site.peer, images)
    async with leaving_nothing(), associate(site.peer, [Context(STUDY_ROOT_FIND)], timeout=WAIT_SECONDS) as assoc:
        async for _ in assoc.find(STUDY_ROOT_FIND, of_study(images[0])):
            break
        with pytest.raises(RuntimeError, match="unfinished"):
            await anext(assoc.find(STUDY_ROOT_FIND, of_study(images[0])))


async def test_orthanc_commits_what_it_holds_and_tells_our_listener(tmp_path: Path) -> None:
    """Orthanc reports over an association of its own."""
    port = free_port()
    with Orthanc(tmp_path, peers={"us": (US, "127.0.0.1", port)}) as orthanc:
        peer = Peer("127.0.0.1", orthanc.port, orthanc.ae_title)
        images, absent = study(), str(generate_uid())
        await keep(peer, images)
        references = [(str(image.SOPClassUID), str(image.SOPInstanceUID)) for image in images]
        async with leaving_nothing(), listen(US, port=port, timeout=WAIT_SECONDS) as scp:
            async with associate(peer, [Context(COMMITMENT_PUSH_MODEL)], timeout=WAIT_SECONDS) as assoc:
                transaction = await assoc.request_commitment([*references, (CTImageStorage, absent)])
            outcome = await anext(scp.commitments())
    assert outcome.transaction_uid == transaction
    assert sorted(outcome.committed) == sorted(references)
    assert outcome.failed == ((CTImageStorage, absent, 0x0112),)
    assert not outcome.is_complete


async def test_an_outcome_is_taken_on_the_association_that_asked(tmp_path: Path) -> None:
    images = study()
    references = [(str(image.SOPClassUID), str(image.SOPInstanceUID)) for image in images]
    with PynetdicomArchive(tmp_path) as archive:
        peer = Peer("127.0.0.1", archive.port, archive.ae_title)
        await keep(peer, images)
        async with leaving_nothing(), associate(peer, [Context(COMMITMENT_PUSH_MODEL)], timeout=WAIT_SECONDS) as assoc:
            transaction = await assoc.request_commitment(references)
            outcome = await assoc.commitment()
    assert outcome.transaction_uid == transaction
    assert outcome.is_complete
    assert sorted(outcome.committed) == sorted(references)


async def test_an_outcome_that_does_not_come_leaves_the_association_as_it_was(tmp_path: Path) -> None:
    port = free_port()
    with PynetdicomArchive(tmp_path, peers={US: ("127.0.0.1", port)}) as archive:
        peer = Peer("127.0.0.1", archive.port, archive.ae_title)
        contexts = [Context(COMMITMENT_PUSH_MODEL), Context(VERIFICATION)]
        async with listen(US, port=port) as scp, associate(peer, contexts, timeout=WAIT_SECONDS) as assoc:
            await assoc.request_commitment([(CTImageStorage, "1.2.3")])
            with pytest.raises(DicomFailure) as late:
                await assoc.commitment(timeout=0.05)
            assert (late.value.failure, late.value.phase) == ("timeout_dimse", "dimse")
            assert await assoc.echo() == 0x0000
            assert (await anext(scp.commitments())).failed == ((CTImageStorage, "1.2.3", 0x0112),)


async def test_compressed_images_travel_as_they_are(site: Site) -> None:
    """What is encapsulated is neither decoded nor offered in another syntax."""
    image = study(images=1)[0]
    await keep(site.peer, [image])
    async with associate(
        site.peer, [Context(CTImageStorage, ["1.2.840.10008.1.2.4.50"])], timeout=WAIT_SECONDS
    ) as assoc:
        with pytest.raises(DicomFailure) as refused:
            await assoc.store(encode(image, SYNTAXES))
    assert refused.value.failure == "context_rejected"


async def test_storing_from_several_tasks_over_their_own_associations(site: Site) -> None:
    """Each task gets its own answers, and what it stored comes back."""
    studies = [study(images=2) for _ in range(TASKS)]
    async with leaving_nothing():
        await asyncio.gather(*(keep(peer, images) for peer, images in zip(site.areas, studies, strict=True)))
        for peer, images in zip(site.areas, studies, strict=True):
            assert pixels(await fetch(peer, images)) == pixels(images)


async def test_a_user_is_let_in_by_name_and_passcode_and_no_other_is(tmp_path: Path) -> None:
    with PynetdicomArchive(tmp_path, user=("ward", "secret")) as archive:
        peer = Peer("127.0.0.1", archive.port, archive.ae_title)
        known = Calling(US, UserIdentity.username("ward", "secret"))
        async with associate(peer, [Context(VERIFICATION)], known, timeout=WAIT_SECONDS) as assoc:
            assert await assoc.echo() == 0x0000
        unknown = Calling(US, UserIdentity.username("ward", "guess"))
        with pytest.raises(DicomFailure) as refused:
            async with associate(peer, [Context(VERIFICATION)], unknown, timeout=WAIT_SECONDS):
                pass
    assert (refused.value.rejection, refused.value.phase) == (Rejection(2, 2, 1), "association")
