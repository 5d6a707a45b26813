"""Archives as hospitals run them answer the echo."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.node import Node
from services.probes.dicom import EchoResult, Peer, echo
from tests.news import WAIT_SECONDS
from tests.parts.dcmtk import Dcmqrscp, Storescp
from tests.parts.orthanc import Orthanc

PHASES = ["dns", "tcp", "association", "dimse", "release"]


async def ask(port: int, ae_title: str) -> EchoResult:
    return await echo(Peer("127.0.0.1", port, ae_title), "STEWARD", WAIT_SECONDS)


@pytest.fixture
def pynetdicom_node() -> Iterator[Node]:
    node = Node("node", "workstation", "PYNETDICOM")
    node.start()
    yield node
    node.stop()


async def test_orthanc_answers(orthanc: Orthanc) -> None:
    result = await ask(orthanc.port, orthanc.ae_title)
    assert (result.outcome, result.dimse_status, list(result.phases)) == ("ok", "0x0000", PHASES)


async def test_dcmqrscp_answers(dcmqrscp: Dcmqrscp) -> None:
    result = await ask(dcmqrscp.port, dcmqrscp.ae_title)
    assert (result.outcome, result.dimse_status, list(result.phases)) == ("ok", "0x0000", PHASES)


async def test_dcmqrscp_does_not_answer_to_another_title(dcmqrscp: Dcmqrscp) -> None:
    result = await ask(dcmqrscp.port, "SOMEBODY_ELSE")
    assert (result.outcome, result.failure) == ("failed", "rejected_ae_title")


async def test_storescp_answers(tmp_path: Path) -> None:
    with Storescp(tmp_path) as storescp:
        result = await ask(storescp.port, storescp.ae_title)
    assert (result.outcome, result.dimse_status, list(result.phases)) == ("ok", "0x0000", PHASES)


async def test_pynetdicom_answers(pynetdicom_node: Node) -> None:
    result = await ask(pynetdicom_node.port, pynetdicom_node.ae_title)
    assert (result.outcome, result.dimse_status, list(result.phases)) == ("ok", "0x0000", PHASES)


async def test_an_archive_that_was_stopped_refuses(tmp_path: Path) -> None:
    with Storescp(tmp_path) as storescp:
        assert (await ask(storescp.port, storescp.ae_title)).outcome == "ok"
    result = await ask(storescp.port, storescp.ae_title)
    assert (result.outcome, result.failure) == ("failed", "refused")
