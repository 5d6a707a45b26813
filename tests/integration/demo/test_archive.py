"""The simulated archives stand up to what Steward asks of real ones."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from demo.archive import STUDY_ROOT_FIND
from demo.commitment import COMMITMENT
from demo.fleet import Fleet, Hospital
from demo.images import make_study
from demo.node import Node
from services.probes.conformance.dicom_conformance import DicomConformance
from services.probes.dicom import Context, Peer, associate, listen
from services.probes.kinds import KINDS
from services.probes.kinds.domain import Kind, Observation
from services.probes.settings import ProbesSettings
from services.probes.suites.builtin import BUILT_IN
from services.probes.suites.planning import System, plan_items
from services.probes.targets.domain import Target
from services.up.fleet import checks_of
from shared.events.inventory import DicomAddress
from tests.news import WAIT_SECONDS
from tests.parts.process import free_port

TAKEN_AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
EVERY: tuple[type[Kind[Any]], ...] = (*KINDS, DicomConformance)
ALL_KINDS = {kind.name: kind for kind in EVERY}
FEW_IMAGES = {"Images come fast": {"images": 3}}


@pytest.fixture
def port() -> int:
    """Where the probes listen."""
    return free_port()


@pytest.fixture
def fleet(tmp_path: Path, port: int) -> Iterator[Fleet]:
    """A group whose archives know the probes."""
    fleet = Fleet(tmp_path, {"STEWARD": ("127.0.0.1", port)})
    fleet.start()
    yield fleet
    fleet.stop()


def target_of(node: Node) -> Target:
    """The node as probes knows it."""
    address = DicomAddress(ae_title=node.ae_title, host=node.host, port=node.port, role=node.role)
    place = {"site_id": "north", "system_id": "pacs", "kind": "node", "version": 1, "probed": True, "reason": None}
    return Target.model_validate(place | {"id": node.ae_title, "name": node.name, "dicom": address})


def system_of(hospital: Hospital) -> System:
    """The hospital's PACS."""
    nodes = [target_of(node) for node in hospital.nodes]
    return System(id="pacs", site_id="north", name="PACS", nodes=nodes, named={}, checks={})


async def seen_by(kind: str, settings: Mapping[str, Any], port: int) -> Observation:
    """What one run of a kind sees."""
    configuration = ProbesSettings.model_construct(
        probe_ae_title="STEWARD", probe_listen_host="127.0.0.1", probe_listen_port=port, probe_secrets=None
    )
    chosen = ALL_KINDS[kind]
    return await chosen.configured(configuration).run(chosen.settings.model_validate(dict(settings)), WAIT_SECONDS)


@pytest.mark.parametrize("suite_id", BUILT_IN)
async def test_every_item_of_every_suite_that_has_a_node_is_ok(fleet: Fleet, port: int, suite_id: str) -> None:
    """Only a RIS is missing."""
    planned = plan_items(BUILT_IN[suite_id].items, system_of(fleet.hospitals[0]), ALL_KINDS, FEW_IMAGES)
    runs = [item for item in planned if item.state != "done"]
    assert {item.interface for item in planned if item.state == "done"} <= {"ris_ehr"}
    seen = [(item.name, await seen_by(item.kind, item.settings, port)) for item in runs]
    assert [(name, one.outcome) for name, one in seen] == [(item.name, "ok") for item in runs], seen


async def test_checks_of_the_first_fleet_are_ok(fleet: Fleet, port: int) -> None:
    for _, check in checks_of(fleet.hospitals[0]):
        seen = await seen_by(check["kind"], check["settings"], port)
        assert seen.outcome == "ok", seen.detail


async def found(archive: Node, level: str, **keys: str) -> list[Dataset]:
    """What a query finds."""
    query = Dataset()
    query.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    peer = Peer(archive.host, archive.port, archive.ae_title)
    async with associate(peer, [Context(str(STUDY_ROOT_FIND))]) as assoc:
        return [ds async for ds in assoc.find(str(STUDY_ROOT_FIND), query)]


async def test_each_level_is_found_by_its_own_keys(fleet: Fleet) -> None:
    """A study is one series of three images; the keys above a level narrow it."""
    hospital = fleet.hospitals[0]
    study = make_study("levels", TAKEN_AT)
    await asyncio.to_thread(hospital.modality.send, study, hospital.archive)
    above = {"StudyInstanceUID": study[0].StudyInstanceUID}
    [series] = await found(hospital.archive, "SERIES", **above, SeriesInstanceUID="", Modality="")
    assert (series.SeriesInstanceUID, series.Modality) == (study[0].SeriesInstanceUID, "CT")
    assert series.NumberOfSeriesRelatedInstances == 3
    images = await found(hospital.archive, "IMAGE", **above, SOPInstanceUID="", InstanceNumber="")
    assert {image.SOPInstanceUID for image in images} == {image.SOPInstanceUID for image in study}
    [image] = await found(hospital.archive, "IMAGE", **above, SOPInstanceUID=str(study[1].SOPInstanceUID))
    assert image.SOPInstanceUID == study[1].SOPInstanceUID
    assert await found(hospital.archive, "SERIES", StudyInstanceUID="1.2.3") == []


async def test_an_archive_commits_to_what_it_has_alone(fleet: Fleet, port: int) -> None:
    """What it was never given is named as failed."""
    archive = fleet.hospitals[0].archive
    [held, *_] = make_study("north", TAKEN_AT)
    asked = [(str(CTImageStorage), str(held.SOPInstanceUID)), (str(CTImageStorage), "1.2.3")]
    peer = Peer(archive.host, archive.port, archive.ae_title)
    async with listen("STEWARD", "127.0.0.1", port) as scp, associate(peer, [Context(str(COMMITMENT))]) as assoc:
        transaction = await assoc.request_commitment(asked)
        async with asyncio.timeout(WAIT_SECONDS):
            outcome = await anext(aiter(scp.commitments()))
    assert outcome.transaction_uid == transaction
    assert list(outcome.committed) == asked[:1]
    assert list(outcome.failed) == [(*asked[1], 0x0112)]
