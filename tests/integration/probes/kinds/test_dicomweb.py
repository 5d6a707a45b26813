"""dicomweb against Orthanc's DICOMweb plugin, and against archives that lie."""

import json
from collections.abc import Iterator
from glob import glob
from io import BytesIO
from typing import Any

import pytest
from pydicom import dcmread, dcmwrite
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.integration.probes.kinds.asked import Asked
from tests.integration.probes.kinds.serving import serving
from tests.parts.orthanc import Orthanc
from tests.parts.process import PartMissing


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that speaks DICOMweb."""
    plugins = glob("/usr/lib/orthanc/libOrthancDicomWeb.so*")
    if not plugins:
        raise PartMissing("Orthanc's DICOMweb plugin is not installed: parts/install orthanc-dicomweb")
    with Orthanc(tmp_path_factory.mktemp("orthanc"), plugins=plugins[:1]) as running:
        yield running


class Lying:
    """An archive that does as it should, but for what a test changes."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.answers: dict[str, Response] = {}
        self.is_blind = False

    async def store(self, request: Request) -> Response:
        """Keeps the instance of the one part."""
        part = (await request.body()).split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
        self.kept[dcmread(BytesIO(part)).SOPInstanceUID] = part
        return self.answers.get("store", Response("{}", media_type="application/dicom+json"))

    async def search(self, request: Request) -> Response:
        """Finds what was kept."""
        found = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in self.kept if not self.is_blind]
        return self.answers.get("search", Response(json.dumps(found)))

    async def retrieve(self, request: Request) -> Response:
        """Gives it back."""
        data = self.changed(self.kept[request.path_params["instance"]])
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--b--\r\n"
        kind = 'multipart/related; type="application/dicom"; boundary=b'
        return self.answers.get("retrieve", Response(body, media_type=kind))

    def changed(self, data: bytes) -> bytes:
        """As it was stored."""
        return data

    @property
    def routes(self) -> list[Route]:
        """The three services."""
        instances = "/studies/{study}/series/{series}/instances"
        return [
            Route("/studies", self.store, methods=["POST"]),
            Route("/studies", self.search),
            Route(instances, self.search),
            Route(instances + "/{instance}", self.retrieve),
        ]


def rewritten(data: bytes, **changes: Any) -> bytes:
    """The instance with some elements changed."""
    ds = dcmread(BytesIO(data))
    for name, value in changes.items():
        setattr(ds, name, value)
    out = BytesIO()
    dcmwrite(out, ds)
    return out.getvalue()


async def test_roundtrip_through_a_real_archive(archive: Orthanc, ask: Asked) -> None:
    """Stored, found, retrieved, equal; and however often, the archive holds one study of as many images as the ring."""
    settings = {"url": f"{archive.url}/dicom-web", "ring": 2}
    for _ in range(4):
        seen = await ask("dicomweb", settings)
        assert (seen.outcome, seen.failure) == ("ok", None), seen
    assert set(seen.measures) == {
        "store_seconds",
        "query_seconds",
        "visible_seconds",
        "retrieve_seconds",
        "bytes",
        "store_bytes_per_second",
        "store_instances_per_second",
        "retrieve_bytes_per_second",
        "retrieve_instances_per_second",
    }
    [study] = archive.get("/studies")
    assert 1 <= len(archive.get(f"/studies/{study}/instances")) <= 2
    assert archive.get(f"/studies/{study}")["PatientMainDicomTags"]["PatientID"] == "STEWARD-PROBE"


async def test_search_in_a_real_archive(archive: Orthanc, ask: Asked) -> None:
    """Any study, a known one, and one that is not there."""
    settings = {"url": f"{archive.url}/dicom-web", "ask": "query"}
    await ask("dicomweb", settings | {"ask": "roundtrip"})
    assert (await ask("dicomweb", settings)).outcome == "ok"
    [study] = archive.get("/studies")
    known = archive.get(f"/studies/{study}")["MainDicomTags"]["StudyInstanceUID"]
    assert (await ask("dicomweb", settings | {"study": known})).outcome == "ok"
    seen = await ask("dicomweb", settings | {"study": "1.2.3"})
    assert (seen.outcome, seen.failure) == ("failed", "not_found")


async def test_address_that_is_no_dicomweb_is_told(archive: Orthanc, ask: Asked) -> None:
    """Another page of the same server."""
    seen = await ask("dicomweb", {"url": f"{archive.url}/no-such-root"})
    assert (seen.outcome, seen.failure) == ("failed", "http_status")


async def test_archive_that_keeps_its_part_is_ok(ask: Asked) -> None:
    """So that what the lies below are told by is the lie."""
    async with serving(Lying().routes) as url:
        assert (await ask("dicomweb", {"url": url})).outcome == "ok"


def refusal(status: int, **body: Any) -> Response:
    """An answer to a store."""
    return Response(json.dumps(body), status_code=status, media_type="application/dicom+json")


FAILED = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xA700]}}]}}


@pytest.mark.parametrize(
    ("step", "answer", "failure"),
    [
        ("store", refusal(409, **FAILED), "not_stored"),
        ("store", refusal(202, **FAILED), "not_stored"),
        ("store", refusal(200, **FAILED), "not_stored"),
        ("store", refusal(503), "http_status"),
        ("store", Response("<xml/>"), "protocol"),
        ("search", Response("{}"), "protocol"),
        ("search", Response("[1, {}, null, [[]]]"), "not_found"),
        ("search", Response('[{"00080018": {"Value": "1.2"}}]'), "not_found"),
        ("search", Response(status_code=204), "not_found"),
        ("retrieve", Response(b"DICM"), "protocol"),
        ("retrieve", Response(b"\0" * 200_000), "protocol"),
        ("retrieve", Response(b"--b\r\n", media_type="multipart/related; boundary=b"), "protocol"),
        ("retrieve", Response(status_code=404), "http_status"),
        ("retrieve", Response(b"x" * 9_000_000), "too_large"),
    ],
)
async def test_archive_that_breaks_its_part_is_told(step: str, answer: Response, failure: str, ask: Asked) -> None:
    """At each step, with a word for it."""
    lying = Lying()
    lying.answers[step] = answer
    async with serving(lying.routes) as url:
        seen = await ask("dicomweb", {"url": url, "visible_within_seconds": 0})
    assert (seen.outcome, seen.failure) == ("failed", failure), seen


async def test_reason_of_a_refused_store_is_told(ask: Asked) -> None:
    """As the archive gives it (PS3.18 §I.2.2)."""
    lying = Lying()
    lying.answers["store"] = refusal(409, **FAILED)
    async with serving(lying.routes) as url:
        assert "0xA700" in (await ask("dicomweb", {"url": url})).detail


@pytest.mark.parametrize(
    "changes",
    [
        {"PixelData": bytes(2 * 128 * 128)},
        {"Rows": 64},
        {"SOPInstanceUID": "1.2.3"},
        {"BitsStored": 12},
    ],
    ids=str,
)
async def test_image_that_comes_back_changed_is_told(changes: dict[str, Any], ask: Asked) -> None:
    """A success that lies: the pixels, or what they mean, are others."""

    class Changing(Lying):
        def changed(self, data: bytes) -> bytes:
            return rewritten(data, **changes)

    async with serving(Changing().routes) as url:
        seen = await ask("dicomweb", {"url": url})
    assert (seen.outcome, seen.failure) == ("failed", "altered"), seen


async def test_image_that_appears_late_is_waited_for(ask: Asked) -> None:
    """As long as the settings grant, and the time is told."""

    class Late(Lying):
        looks = 0

        async def search(self, request: Request) -> Response:
            self.looks += 1
            self.is_blind = self.looks < 3
            return await super().search(request)

    async with serving(Late().routes) as url:
        seen = await ask("dicomweb", {"url": url})
    assert seen.outcome == "ok", seen
    assert seen.measures["visible_seconds"] > 0.3


async def test_same_image_is_sent_under_the_same_uid(ask: Asked) -> None:
    """However often: an archive that keeps the first or the last has the right one."""
    lying = Lying()
    sent: set[bytes] = set()
    async with serving(lying.routes) as url:
        for _ in range(3):
            await ask("dicomweb", {"url": url, "ring": 1})
            sent.update(lying.kept.values())
    assert len(sent) == 1
