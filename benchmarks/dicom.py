"""The user agent beside pynetdicom (C-ECHO) and DCMTK (C-STORE, C-GET), against the same peers, in rounds by turns.

DCMTK's programs and servers run with TCP_NODELAY=1, their best: as they come, they wait 40 ms or more for an image.
Orthanc, the third peer, knows the images already, so that neither side waits for its disk.
Both sides read the images they send from files, one after the other, and drop those they receive. What a run with one
image takes is subtracted on both sides, so that neither the start of DCMTK's programs nor the association counts.
The agent runs in this process on uvloop, as Steward does, through the calls that any user has.
"""

import asyncio
import os
import random
import statistics
import subprocess
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom.ae import ApplicationEntity

from benchmarks.dicom_peer import EchoPeer
from benchmarks.figure import Figure, within
from benchmarks.ground import Ground
from demo.images import make_study
from services.probes.dicom import Context, Peer, associate, echo, read_encoded
from services.probes.dicom.dimse import VERIFICATION
from tests.parts.dcmtk import Dcmqrscp, Storescp
from tests.parts.orthanc import Orthanc
from tests.parts.process import find_program

ROUNDS = 5
ECHOES, AT_ONCE = 3_000, 16
THEIR_ECHOES, THREADS = 160, (4, 8, 16)
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"


@dataclass(frozen=True)
class Study:
    """Images in files: how many, and how many pixels wide and high."""

    name: str
    images: int
    size: int


Receiver = Storescp | Dcmqrscp | Orthanc
STUDIES = (Study("1,000 small images", 1_000, 64), Study("200 CT slices", 200, 512))


async def measure(ground: Ground) -> list[Figure]:
    """Rates as medians over the rounds, and the processor time of an echo."""
    folder = ground.folder / "dicom"
    folder.mkdir()
    os.environ["TCP_NODELAY"] = "1"
    return [*await _echoes(folder), *await _images(folder)]


async def _echoes(folder: Path) -> list[Figure]:
    rates: list[float] = []
    costs: list[float] = []
    theirs: dict[int, list[float]] = {threads: [] for threads in THREADS}
    with EchoPeer(folder) as part:
        for _ in range(ROUNDS):
            used, began = _processor_seconds(), perf_counter()
            await _echo_many(Peer("127.0.0.1", part.port, "ECHO"))
            rates.append(ECHOES / (perf_counter() - began))
            costs.append((_processor_seconds() - used) / ECHOES)
            for threads in THREADS:
                theirs[threads].append(await asyncio.to_thread(_pynetdicom_rate, part.port, threads))
    best = max(statistics.median(found) for found in theirs.values())
    rate, cost = statistics.median(rates), statistics.median(costs)
    return [
        Figure("C-ECHO with its association", rate, "1/s", "pynetdicom's best", best, 12 * best),
        within("C-ECHO: processor", cost * 1000, "ms", 0.3),
        Figure("C-ECHO on one core", 1 / cost, "1/s", "the floor", 3_000, 3_000),
    ]


async def _echo_many(peer: Peer) -> None:
    left = iter(range(ECHOES))

    async def one_after_another() -> None:
        for _ in left:
            assert (await echo(peer, "STEWARD", 10)).outcome == "ok"

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))


def _pynetdicom_rate(port: int, threads: int) -> float:
    def one_after_another() -> None:
        entity = ApplicationEntity("STEWARD")
        entity.add_requested_context(VERIFICATION)
        for _ in range(THEIR_ECHOES // threads):
            assoc = entity.associate("127.0.0.1", port, ae_title="ECHO")
            assert assoc.send_c_echo().Status == 0x0000
            assoc.release()

    running = [threading.Thread(target=one_after_another) for _ in range(threads)]
    began = perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return THEIR_ECHOES / (perf_counter() - began)


@dataclass(frozen=True)
class Transfer:
    """The same images over the same way: by the agent, and as the command line of DCMTK's program."""

    ours: Callable[[], Awaitable[None]]
    theirs: Sequence[str]

    async def seconds(self) -> tuple[float, float]:
        """What each takes, one after the other."""
        began = perf_counter()
        await self.ours()
        between = perf_counter()
        await asyncio.to_thread(subprocess.run, self.theirs, check=True, stdout=subprocess.DEVNULL)
        return between - began, perf_counter() - between


async def _images(folder: Path) -> list[Figure]:
    figures = []
    with Storescp(folder / "storescp") as storescp, Dcmqrscp(folder / "dcmqrscp") as archive:
        for study in STUDIES:
            figures += await _both_ways(study, storescp, archive, folder / study.name.replace(" ", "-"))
    with Orthanc(folder / "orthanc") as orthanc:
        slices = replace(STUDIES[-1], name=f"{STUDIES[-1].name}, Orthanc")
        figures += await _both_ways(slices, orthanc, orthanc, folder / "for-orthanc")
    return figures


async def _both_ways(study: Study, receiver: Receiver, archive: Receiver, folder: Path) -> list[Figure]:
    stores, gets = [], []
    for part in (study, replace(study, name=f"one of {study.name}", images=1)):
        files = folder / str(part.images)
        query = _write_study(part, files)
        await _store(Peer("127.0.0.1", archive.port, archive.ae_title), files)
        stores.append(_storing(receiver, files))
        gets.append(_getting(archive, query, part))
    return [
        await _compare(f"C-STORE of {study.name}", "storescu", study.images, *stores),
        await _compare(f"C-GET of {study.name}", "getscu", study.images, *gets),
    ]


async def _compare(name: str, program: str, images: int, whole: Transfer, single: Transfer) -> Figure:
    wholes, singles = [], []
    for _ in range(ROUNDS):
        wholes.append(await whole.seconds())
        singles.append(await single.seconds())
    ours, theirs = (
        (images - 1) / (statistics.median(all_of_them) - statistics.median(one))
        for all_of_them, one in zip(zip(*wholes, strict=True), zip(*singles, strict=True), strict=True)
    )
    return Figure(name, ours, "1/s", f"DCMTK's {program}", theirs, 0.8 * theirs)


def _storing(part: Receiver, files: Path) -> Transfer:
    command = ["-aec", part.ae_title, "+sd", "127.0.0.1", str(part.port), str(files)]
    peer = Peer("127.0.0.1", part.port, part.ae_title)
    return Transfer(lambda: _store(peer, files), [find_program("storescu", package="dcmtk"), *command])


async def _store(peer: Peer, files: Path) -> None:
    async with associate(peer, [Context(CTImageStorage, [ExplicitVRLittleEndian])]) as assoc:
        async for status in assoc.store_each(map(read_encoded, _files_in(files))):
            assert status == 0x0000


def _files_in(folder: Path) -> list[Path]:
    return [folder / name for name in sorted(os.listdir(folder))]


def _getting(part: Receiver, query: Dataset, study: Study) -> Transfer:
    keys = ["-k", "0008,0052=STUDY", "-k", f"0020,000D={query.StudyInstanceUID}"]
    command = ["-S", "--ignore", "-aec", part.ae_title, "127.0.0.1", str(part.port), *keys]
    peer = Peer("127.0.0.1", part.port, part.ae_title)
    return Transfer(lambda: _get(peer, query, study), [find_program("getscu", package="dcmtk"), *command])


async def _get(peer: Peer, query: Dataset, study: Study) -> None:
    contexts = [Context(STUDY_ROOT_GET), Context(CTImageStorage, [ExplicitVRLittleEndian], as_scp=True)]
    async with associate(peer, contexts, timeout=30) as assoc:
        count = 0
        async for instance in assoc.get(STUDY_ROOT_GET, query):
            assert len(instance.data) > study.size**2 * 2
            count += 1
        assert count == study.images


def _write_study(study: Study, files: Path) -> Dataset:
    """Writes the images, and returns the query for them."""
    files.mkdir(parents=True)
    image = make_study(study.name, datetime(2026, 3, 1, tzinfo=UTC), images=1)[0]
    image.Rows = image.Columns = study.size
    image.PixelData = random.Random(study.name).randbytes(study.size**2 * 2)
    for number in range(study.images):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.InstanceNumber = number + 1
        image.save_as(files / f"{number:05}.dcm", enforce_file_format=True)
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = image.StudyInstanceUID
    return query


def _processor_seconds() -> float:
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
