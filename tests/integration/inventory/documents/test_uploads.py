"""Uploads that are large, hang, break off or lose their service: what they cost, and that they leave nothing."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from services.inventory.__main__ import build
from services.inventory.documents.api import router, uploads_router
from services.inventory.documents.upload import Limits
from services.inventory.settings import InventorySettings
from shared import telemetry
from shared.database import Pool
from shared.issuer import Issuer
from shared.service import Service, listen, open_service, serve
from tests.harness import Harness
from tests.integration.conftest import Run, settings_for
from tests.integration.inventory.conftest import SITES
from tests.integration.inventory.documents.files import DOCUMENTS, FORM, PDF, upload
from tests.integration.inventory.imports.taking import IMPORTS
from tests.integration.inventory.requests import register_system
from tests.news import until

BOUNDARY = "cut-here"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
LIMIT = 1_000_000
MEBIBYTE = 2**20


def head(name: str = "manual.pdf", **more: str) -> bytes:
    """The form up to where its file's bytes begin."""
    told = FORM | more
    fields = [f'Content-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n' for field, value in told.items()]
    file = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return "".join(f"--{BOUNDARY}\r\n{part}" for part in [*fields, file]).encode()


TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


async def file_of(size: int, seed: int = 0) -> AsyncIterator[bytes]:
    """A form with a PDF of about this size, piece by piece."""
    yield head() + PDF
    for number in range(size // MEBIBYTE):
        yield f"{seed} {number} ".encode() * (MEBIBYTE // len(f"{seed} {number} "))
    yield b"\n%%EOF" + TAIL


def hasty(pool: Pool, settings: InventorySettings) -> Service:
    """Inventory that waits less long for what doesn't come."""
    limits = Limits(settings.inventory_document_bytes, stall=0.2, total=0.6)
    return Service("inventory", routers=[router, uploads_router(limits, {})])


def one_by_one(pool: Pool, settings: InventorySettings) -> Service:
    """Inventory that takes one upload at a time."""
    limits = Limits(settings.inventory_document_bytes, at_once=1)
    return Service("inventory", routers=[router, uploads_router(limits, {})])


async def kept(pool: Pool) -> int:
    """How much there is of what an upload makes."""
    counted: int = await pool.fetchval(
        "SELECT (SELECT count(*) FROM contents) + (SELECT count(*) FROM documents) + (SELECT count(*) FROM outbox)"
    )
    return counted


@pytest.mark.parametrize("is_declared", [True, False])
async def test_file_over_the_limit_is_refused_while_it_is_read(run: Run, is_declared: bool) -> None:
    """413, by its declared length before a byte is read, and else no more than a piece behind the limit."""
    async with run(inventory=(build, InventorySettings, {"inventory_document_bytes": LIMIT})) as steward:
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            yield head() + PDF
            while True:
                sent += 100_000
                yield bytes(100_000)

        length = {"Content-Length": str(10 * LIMIT)} if is_declared else {}
        answer = await steward.admin.post(DOCUMENTS, content=endless(), headers=HEADERS | length)
        assert (answer.status_code, sent <= (0 if is_declared else LIMIT + 100_000)) == (413, True), answer.text
        assert await kept(steward.pools["inventory"]) == 0


async def test_file_for_a_place_that_is_not_the_callers_is_refused_unread(steward: Harness) -> None:
    """404 once the fields before it have come, whether the site or an asset is another's or is not there at all."""
    there = await register_system(steward, site_id="south")
    sam = steward.as_("sam", "operator:north")
    for fields in (
        {"site_id": "south"},
        {"site_id": "north", "asset_ids": there["id"]},
        {"site_id": "north", "asset_ids": str(uuid4())},
    ):
        sent = 0

        async def coming(before: bytes) -> AsyncIterator[bytes]:
            nonlocal sent
            yield before + PDF
            while sent < 10:
                sent += 1
                yield bytes(100_000)
            yield TAIL

        before = head(**fields)
        answer = await sam.post(DOCUMENTS, content=coming(before), headers=HEADERS)
        assert (answer.status_code, sent) == (404, 0), answer.text
    rows = head(kind="components", site_id="south")
    sent = 0
    answer = await sam.post(IMPORTS, content=coming(rows), headers=HEADERS)
    assert (answer.status_code, sent) == (404, 0), answer.text


async def test_file_of_exactly_the_limit_is_taken(run: Run) -> None:
    """And with one byte more it is not."""
    async with run(inventory=(build, InventorySettings, {"inventory_document_bytes": LIMIT})) as steward:
        await steward.admin.post("/inventory/v1/sites", json=SITES[0])
        whole = PDF[:-6] + bytes(LIMIT - len(PDF)) + PDF[-6:]
        assert (await upload(steward.admin, whole)).status_code == 201
        assert (await upload(steward.admin, b"%" + whole)).status_code == 413


async def test_upload_that_hangs_or_drips_is_given_up(run: Run) -> None:
    """408 after the stall, or after all the time that an upload may take; nothing is kept."""
    async with run(inventory=(hasty, InventorySettings, {})) as steward:
        never = asyncio.Event()

        async def hanging() -> AsyncIterator[bytes]:
            yield head() + PDF
            await never.wait()

        async def dripping() -> AsyncIterator[bytes]:
            yield head() + PDF
            while True:
                try:
                    async with asyncio.timeout(0.05):
                        await never.wait()
                except TimeoutError:
                    yield b"x"

        for content in (hanging(), dripping()):
            answer = await steward.admin.post(DOCUMENTS, content=content, headers=HEADERS)
            assert (answer.status_code, answer.json()["title"]) == (408, "Too slow")
        assert await kept(steward.pools["inventory"]) == 0


async def test_more_uploads_at_once_than_a_process_takes_are_refused(run: Run) -> None:
    """429 before anything is read; when one has ended, the next is taken."""
    async with run(inventory=(one_by_one, InventorySettings, {})) as steward:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def waiting() -> AsyncIterator[bytes]:
            yield head() + PDF
            begun.set()
            await go_on.wait()
            yield TAIL

        first = asyncio.create_task(steward.admin.post(DOCUMENTS, content=waiting(), headers=HEADERS))
        await begun.wait()
        assert (await upload(steward.admin)).status_code == 429
        go_on.set()
        assert (await first).status_code == (await upload(steward.admin)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        head(),
        head() + PDF,
        head() + PDF + TAIL[:-4],
        head().replace(b"form-data", b"x\xff") + PDF + TAIL,
        b"--" + BOUNDARY.encode() + b"\r\n" + b"x" * 20_000,
        (b"--" + BOUNDARY.encode() + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n') * 500,
        b"--" + BOUNDARY.encode() + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 20_000,
        b"\x00" * 100,
    ],
)
async def test_form_that_is_none_is_refused(steward: Harness, body: bytes) -> None:
    """422: broken off, endless in its headers, parts or fields, or no form at all."""
    answer = await steward.admin.post(DOCUMENTS, content=body, headers=HEADERS)
    assert (answer.status_code, bool(answer.json()["errors"])) == (422, True), answer.text
    assert await steward.pools["inventory"].fetchval("SELECT count(*) FROM documents") == 0


def run_inventory(settings: InventorySettings, folder: str, told: Connection) -> None:
    """A process that serves inventory, and tells its port."""
    os.environ["TMPDIR"] = folder
    telemetry.configure_logs("critical")
    asyncio.run(_run_inventory(settings, told))


async def _run_inventory(settings: InventorySettings, told: Connection) -> None:
    def made(pool: Pool) -> Service:
        return build(pool, settings)

    async with open_service("inventory", made, settings, settings.open_bus()) as opened:
        sock = listen(settings)
        told.send(sock.getsockname()[1])
        await serve({"inventory": opened.app}, settings, sock)


@contextmanager
def process(settings: InventorySettings, folder: Path) -> Iterator[tuple[int, int]]:
    """Inventory in a process of its own: its port and its id."""
    ours, theirs = multiprocessing.Pipe()
    forks = multiprocessing.get_context("spawn")
    running = forks.Process(target=run_inventory, args=(settings, str(folder), theirs), daemon=True)
    running.start()
    try:
        assert ours.poll(60)
        assert running.pid is not None
        yield ours.recv(), running.pid
    finally:
        running.kill()
        running.join()


@asynccontextmanager
async def client_of(port: int, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator's client of that process, with the sites there."""
    token = Issuer(folder).token("admin", ("group-admin:*",))
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as client:
        assert (await client.post("/inventory/v1/sites", json=SITES[0])).status_code in (201, 409)
        yield client


def peak_kib(pid: int) -> int:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


async def test_memory_stays_flat_while_large_files_come_and_go(database: str, tmp_path: Path) -> None:
    """Files of 24 MiB, two at the same time, cost a few MiB of memory, whether they are sent or fetched."""
    settings = settings_for(InventorySettings, "inventory", database, tmp_path, http_port=0)
    with process(settings, tmp_path) as (port, pid):
        async with client_of(port, tmp_path) as client:
            assert (await upload(client)).status_code == 201
            before = peak_kib(pid)
            both = [client.post(DOCUMENTS, content=file_of(24 * MEBIBYTE, n), headers=HEADERS) for n in (1, 2)]
            for answer in await asyncio.gather(*both):
                assert answer.status_code == 201, answer.text
                document = answer.json()
                got = await client.get(f"{DOCUMENTS}/{document['id']}/versions/1/content")
                assert len(got.content) == document["size"] > 23 * MEBIBYTE
            grown = peak_kib(pid) - before
            assert grown < 16 * 1024, f"{grown} KiB"


async def test_service_that_is_killed_half_way_leaves_nothing(database: str, tmp_path: Path, steward: Harness) -> None:
    """Neither in the database nor on disk; the same upload is then taken by the next process."""
    settings = settings_for(InventorySettings, "inventory", database, tmp_path, http_port=0)
    pool = steward.pools["inventory"]
    spool = tmp_path / "spool"
    spool.mkdir()
    half_sent = asyncio.Event()
    never = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield head() + PDF + bytes(5 * MEBIBYTE)
        half_sent.set()
        await never.wait()

    with process(settings, spool) as (port, pid):
        async with client_of(port, tmp_path) as client:
            uploading = asyncio.create_task(client.post(DOCUMENTS, content=half(), headers=HEADERS))
            await half_sent.wait()
            os.kill(pid, signal.SIGKILL)
            never.set()
            with pytest.raises(httpx.HTTPError):
                await uploading
    assert list(spool.iterdir()) == []
    assert await pool.fetchval("SELECT count(*) FROM contents") == 0
    assert (await upload(steward.admin)).status_code == 201


async def test_upload_whose_sender_goes_away_leaves_nothing(database: str, tmp_path: Path, steward: Harness) -> None:
    """The connection is cut in the middle; the service goes on."""
    settings = settings_for(InventorySettings, "inventory", database, tmp_path, http_port=0)
    with process(settings, tmp_path) as (port, _):
        async with client_of(port, tmp_path) as client:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            lines = [f"POST {DOCUMENTS} HTTP/1.1", "Host: steward", "Content-Length: 9000000"]
            lines += [f"{name}: {client.headers[name]}" for name in ("authorization",)]
            lines += [f"{name}: {value}" for name, value in HEADERS.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + head() + PDF + bytes(1_000_000))
            await writer.drain()
            writer.transport.abort()
            assert (await upload(client)).status_code == 201
    await until(steward.pools["inventory"], "SELECT count(*) = 1 FROM contents")
