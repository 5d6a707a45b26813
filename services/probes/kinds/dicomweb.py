"""The kind ``dicomweb``: does an archive find what it is asked for, and give back what it was given (PS3.18 §10)?"""

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from io import BytesIO
from typing import Any, ClassVar, Literal, Self, TypeVar

import httpx
from pydantic import ConfigDict, Field, model_validator
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from services.probes.kinds.asking import NETWORK_FAILURES, Asking
from services.probes.kinds.attempt import Attempt, failed
from services.probes.kinds.comparing import COMPARING_FAILURES, Compared, WhenLossy, compare
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.exchange import HTTP_FAILURES, Login, Url, client, json_of
from services.probes.kinds.rates import rate_measures, rates
from services.probes.kinds.synthetic import ct_image, uid_of

LARGEST_ANSWER = 8 * 1024 * 1024
NEXT_LOOK_SECONDS = 0.2
SOP_INSTANCE, FAILURE_REASON, FAILED = "00080018", "00081197", "00081198"
T = TypeVar("T")

_BOUNDARY = re.compile(r'boundary="?([^";]{1,100})"?')


class DicomwebSettings(Login):
    """The archive's DICOMweb service, and what to ask of it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"url": "https://pacs.north.example.org/dicom-web"}]}
    )

    url: Url = Field(
        description="base address, to which /studies is added", examples=["https://pacs.north.example.org/dicom-web"]
    )
    ask: Literal["query", "roundtrip"] = Field(
        "roundtrip",
        description="query only searches (QIDO-RS); roundtrip stores (STOW-RS), finds, retrieves (WADO-RS), compares",
        examples=["query"],
    )
    study: str | None = Field(
        None,
        pattern=r"^[0-9.]{1,64}$",
        description="Study Instance UID that a query must find; by default it asks for any one study",
        examples=["1.2.826.0.1.3680043.8.498.1"],
    )
    ring: int = Field(
        8, ge=1, le=64, description="synthetic images that are stored in turn, so that the archive doesn't grow"
    )
    as_stored: bool = Field(
        True, description="whether the image may come back compressed, as the archive keeps it; it is decoded here"
    )
    lossy: WhenLossy = Field(
        "degraded", description="outcome when it comes back by a lossy compression", examples=["failed"]
    )
    images: int = Field(
        1, ge=1, le=64, description="images of one run; rates of many tell more than those of one", examples=[20]
    )
    image_size: int = Field(
        128, ge=16, le=1024, description="rows and columns of an image, which has 2 bytes a pixel", examples=[512]
    )
    visible_within_seconds: float = Field(
        5, ge=0, le=300, description="seconds from stored to found that are granted to the archive", examples=[5]
    )

    @model_validator(mode="after")
    def _fits_the_ring(self) -> Self:
        if self.images > self.ring:
            raise ValueError(f"images must be at most ring, which is {self.ring}; for example images 10 and ring 20")
        return self


class Dicomweb(Asking[DicomwebSettings]):
    """A search; or a synthetic image stored, found, retrieved and compared."""

    name = "dicomweb"
    summary = "Stores a synthetic image by STOW-RS, finds it by QIDO-RS, retrieves it by WADO-RS, compares the pixels."
    settings = DicomwebSettings
    interval = timedelta(minutes=30)
    measures: ClassVar = {
        "query_seconds": Measure("seconds", "higher", "for the search", 2, 5, baseline=True),
        "store_seconds": Measure("seconds", "higher", "for storing the images", baseline=True),
        "visible_seconds": Measure("seconds", "higher", "from stored to found", baseline=True),
        "retrieve_seconds": Measure("seconds", "higher", "for retrieving the images", baseline=True),
        "bytes": Measure("bytes", "higher", "retrieved"),
        **rate_measures("store", "from the request by STOW-RS to its answer"),
        **rate_measures("retrieve", "from the first request by WADO-RS to the last answer"),
    }
    failures: ClassVar = (
        NETWORK_FAILURES
        | HTTP_FAILURES
        | {
            "not_found": "the study, or the image that was just stored, is not found",
            "not_stored": "the archive says that it did not store the image",
        }
        | COMPARING_FAILURES
    )

    async def ask(self, settings: DicomwebSettings, attempt: Attempt) -> Observation:
        """Asks over one connection, as far as the archive keeps it."""
        async with client(attempt, settings, LARGEST_ANSWER, settings.login_headers(attempt)) as speaking:
            archive = Archive(speaking, settings.url.rstrip("/"))
            if settings.ask == "query":
                return await _query(archive, settings.study)
            return await _roundtrip(archive, settings)


class Archive:
    """The three services of DICOMweb. Every method raises Ended when the archive does not keep its part."""

    def __init__(self, client: httpx.AsyncClient, base: str) -> None:
        self._client = client
        self._base = base

    async def search(self, path: str, **query: str) -> list[Any]:
        """What a search finds (QIDO-RS, PS3.18 §10.6)."""
        request = self._client.build_request(
            "GET", f"{self._base}/{path}", params=query, headers={"Accept": "application/dicom+json"}
        )
        response = await self._client.send(request)
        if response.status_code == 204:
            return []
        _expect(response, "search", 200)
        found = _json(response, "search")
        if not isinstance(found, list):
            raise failed("protocol", "The archive answers a search with something else than a list.")
        return found

    async def store(self, files: Sequence[bytes]) -> None:
        """Stores instances by one request (STOW-RS, PS3.18 §10.5)."""
        boundary = uid_of("boundary", *(hashlib.sha256(file).hexdigest() for file in files))
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        response = await self._client.post(
            f"{self._base}/studies",
            content=head + (b"\r\n" + head).join(files) + f"\r\n--{boundary}--\r\n".encode(),
            headers={
                "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
                "Accept": "application/dicom+json",
            },
        )
        _expect(response, "store", 200, 202, 409)
        refused = _values(_json(response, "store") if response.content else {}, FAILED)
        if refused or response.status_code == 409:
            raise failed("not_stored", f"The archive did not store the image{_why(refused)}.")

    async def retrieve(self, ds: Dataset, syntax: str) -> tuple[Dataset, int]:
        """The instance as the archive gives it back, and how many bytes it took (WADO-RS, PS3.18 §10.4)."""
        path = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
        accept = f'multipart/related; type="application/dicom"; transfer-syntax={syntax}'
        response = await self._client.get(f"{self._base}/{path}", headers={"Accept": accept})
        _expect(response, "retrieval", 200)
        part = _only_part(response)
        try:
            return dcmread(BytesIO(part)), len(response.content)
        except Exception as exc:  # pydicom has no class of its own for what it can't read
            raise failed("protocol", f"What the archive gives back can't be read: {type(exc).__name__}.") from exc


async def _query(archive: Archive, study: str | None) -> Observation:
    found, seconds = await _timed(
        archive.search("studies", limit="1", **({"StudyInstanceUID": study} if study else {}))
    )
    if study and not found:
        raise failed("not_found", f"The archive does not find the study {study}.")
    return Observation("ok", None, "The archive answered the search.", measures={"query_seconds": seconds})


async def _roundtrip(archive: Archive, settings: DicomwebSettings) -> Observation:
    first = int(time.time())
    sent = [_image(settings, (first + number) % settings.ring) for number in range(settings.images)]
    files = [_file(ds) for ds in sent]
    _, store_seconds = await _timed(archive.store(files))
    query_seconds, visible_seconds = await _timed(_find_all(archive, sent, settings.visible_within_seconds))
    syntax = "*" if settings.as_stored else ExplicitVRLittleEndian
    back, retrieve_seconds = await _timed(_retrieve_all(archive, sent, syntax))
    size = sum(size for _, size in back)
    measures = {
        "store_seconds": store_seconds,
        "query_seconds": query_seconds,
        "visible_seconds": visible_seconds,
        "retrieve_seconds": retrieve_seconds,
        "bytes": float(size),
        **rates("store", len(files), sum(map(len, files)), store_seconds),
        **rates("retrieve", len(back), size, retrieve_seconds),
    }
    found = [await _compared(ds, came, settings.lossy) for ds, (came, _) in zip(sent, back, strict=True)]
    compared = next((one for one in found if not one.sha256), found[0])
    facts = {"transfer_syntax": str(back[0][0].file_meta.TransferSyntaxUID)}
    if compared.sha256:
        facts["sha256"] = compared.sha256
    return Observation(compared.outcome, compared.failure, compared.detail, measures=measures, facts=facts)


def _image(settings: DicomwebSettings, place: int) -> Dataset:
    """The image at that place of the ring."""
    study = uid_of("dicomweb", settings.url, settings.image_size)
    return ct_image(study, uid_of("instance", study, place), place + 1, settings.image_size)


def _file(ds: Dataset) -> bytes:
    data = BytesIO()
    dcmwrite(data, ds, enforce_file_format=True)
    return data.getvalue()


async def _find_all(archive: Archive, sent: Sequence[Dataset], within: float) -> float:
    """Looks until all are found; how long the last search took."""
    ends_at = time.perf_counter() + within
    return [await _find(archive, ds, within, ends_at) for ds in sent][-1]


async def _retrieve_all(archive: Archive, sent: Sequence[Dataset], syntax: str) -> list[tuple[Dataset, int]]:
    return [await archive.retrieve(ds, syntax) for ds in sent]


async def _find(archive: Archive, ds: Dataset, within: float, ends_at: float) -> float:
    """Looks until the instance is found; how long the search took that found it."""
    series = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances"
    while True:
        found, seconds = await _timed(archive.search(series, SOPInstanceUID=ds.SOPInstanceUID))
        if any(ds.SOPInstanceUID in _values(one, SOP_INSTANCE) for one in found):
            return seconds
        if time.perf_counter() > ends_at:
            raise failed("not_found", f"The archive took the image, but does not find it within {within:g} s.")
        await asyncio.sleep(NEXT_LOOK_SECONDS)


async def _timed(work: Awaitable[T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = await work
    return result, round(time.perf_counter() - began, 6)


async def _compared(sent: Dataset, back: Dataset, when_lossy: WhenLossy) -> Compared:
    if back.file_meta.get("TransferSyntaxUID") is None:
        raise failed("protocol", "What the archive gives back does not say how it is encoded.")
    if back.get("SOPInstanceUID") != sent.SOPInstanceUID:
        raise failed("altered", "The archive gives back another image than it was asked for.")
    return await compare(sent, back, when_lossy)


def _expect(response: httpx.Response, what: str, *statuses: int) -> None:
    if response.status_code not in statuses:
        raise failed("http_status", f"The archive answered the {what} with {response.status_code}.")


def _json(response: httpx.Response, what: str) -> Any:
    try:
        return json_of(response)
    except (ValueError, RecursionError) as exc:
        raise failed("protocol", f"The archive answers the {what} with something else than JSON.") from exc


def _values(instance: Any, tag: str) -> list[Any]:
    """The values of one element in the JSON model of DICOM (PS3.18 §F.2), whatever the peer wrote there."""
    element = instance.get(tag) if isinstance(instance, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _why(refused: list[Any]) -> str:
    reasons = [reason for one in refused for reason in _values(one, FAILURE_REASON) if isinstance(reason, int)]
    return f" (reason 0x{reasons[0]:04X})" if reasons else ""


def _only_part(response: httpx.Response) -> bytes:
    """The body of the first part of a multipart/related answer (RFC 2046 §5.1)."""
    boundary = _BOUNDARY.search(response.headers.get("Content-Type", ""))
    if boundary is None:
        return response.content
    _, opened, rest = (b"\r\n" + response.content).partition(b"\r\n--" + boundary[1].encode())
    _, headed, body = rest.partition(b"\r\n\r\n")
    part, ended, _ = body.partition(b"\r\n--" + boundary[1].encode())
    if not (opened and headed and ended):
        raise failed("protocol", "The archive breaks the rules of multipart answers.")
    return part
