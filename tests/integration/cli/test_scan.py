"""`steward scan` asks before it touches anything, keeps to its rate, and tells DICOM from other things that listen."""

import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.node import Node
from services.__main__ import main
from services.inventory.imports.domain import check_columns
from services.inventory.imports.sheet import read_sheet
from services.probes.dicom import EchoResult
from services.probes.dicom.domain import FailureClass
from services.probes.scan.domain import MOST_ADDRESSES, Range, read_answer
from services.probes.scan.sweep import sweep
from shared.errors import Malformed
from tests.integration.probes.dicom.peers import listening
from tests.parts.process import free_port

Scan = Callable[..., tuple[object, str]]


@pytest.fixture
def scan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Scan:
    """Runs the command and gives its exit status and what it said."""

    def call(*arguments: object) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["steward", "scan", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    return call


@contextmanager
def node_that_answers() -> Iterator[Node]:
    """A node on a free port."""
    node = Node("ct", "modality", "NORTH_CT")
    node.start()
    yield node
    node.stop()


def test_a_scan_that_is_not_allowed_touches_nothing(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what it would do; without a yes it ends."""
    monkeypatch.setattr(asyncio, "run", lambda _: pytest.fail("it scans"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    status, said = scan("127.0.0.0/30", "--port", 104, "--rate", 0.5)
    assert status == 1
    assert "2 connections from this machine to 127.0.0.0/30, ports 104, at most 0.5 a second: 0.1 minutes" in said


def test_a_node_is_found_and_its_list_can_be_imported(scan: Scan, tmp_path: Path) -> None:
    """What answers stands in the list, with its title when it is known."""
    out = tmp_path / "nodes.csv"
    with node_that_answers() as node:
        ports = ("--port", node.port, "--port", free_port())
        status, said = scan("127.0.0.1/32", *ports, "--called", node.ae_title, "--yes", "--out", out)
    assert status == 0, said
    assert f"127.0.0.1:{node.port}  verified" in said
    assert "1 answered" in said
    with out.open("rb") as file:
        sheet = read_sheet(file)
        [row] = sheet.rows
    assert check_columns("nodes", sheet.names, {"system": "North archive"})
    told = dict(zip(sheet.names, row.cells, strict=True))
    assert (told["host"], told["port"], told["ae_title"]) == ("127.0.0.1", str(node.port), node.ae_title)


async def test_what_speaks_no_dicom_is_told_apart() -> None:
    """It listens, but it is no node."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await reader.read()

    async with listening(greet) as peer:
        asked = Range.parse("127.0.0.1/32", [peer.port], 50)
        [found] = [answer async for answer in sweep(asked, "ANY-SCP", "STEWARD", 5, lambda _: None)]
    assert (found.port, found.speaks) == (peer.port, "speaks no DICOM")


async def test_a_scan_keeps_to_its_rate() -> None:
    """The questions are spread over the time that was told."""
    asked = Range.parse("127.0.0.1/32", [free_port() for _ in range(6)], 20)
    loop = asyncio.get_running_loop()
    times: list[float] = []
    began = loop.time()
    assert [one async for one in sweep(asked, "X", "Y", 2, lambda _: times.append(loop.time() - began))] == []
    assert len(times) == asked.count
    assert all(time >= number / 20 for number, time in enumerate(times))


@pytest.mark.parametrize(
    ("text", "ports", "rule"),
    [
        ("10.1.2.3/24", [104], "CIDR"),
        ("ct1.example.org", [104], "CIDR"),
        ("10.0.0.0/8", [104], str(MOST_ADDRESSES)),
        ("8.8.8.0/24", [104], "public"),
        ("10.1.2.0/24", [], "1 to 16 ports"),
        ("10.1.2.0/24", [0], "1 to 16 ports"),
    ],
)
def test_a_range_that_nobody_means_is_refused(text: str, ports: list[int], rule: str) -> None:
    """With the field, the rule and an example."""
    with pytest.raises(Malformed, match=rule):
        Range.parse(text, ports, 20)


@pytest.mark.parametrize(
    ("failure", "speaks"),
    [
        ("refused", None),
        ("timeout_connect", None),
        ("rejected_ae_title", "wants other titles"),
        ("rejected_busy", "busy"),
        ("context_rejected", "verified"),
        ("protocol", "speaks no DICOM"),
        ("timeout_association", "speaks no DICOM"),
    ],
)
def test_an_answer_tells_what_listens(failure: FailureClass, speaks: str | None) -> None:
    """A rejection is DICOM too."""
    answer = read_answer("10.1.2.3", 104, EchoResult("failed", failure, "…"))
    assert (answer.speaks if answer else None) == speaks
