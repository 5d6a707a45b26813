"""What peers negotiate: the matrix of each, what is needed and refused, and what has changed since."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE

from services.probes.conformance.domain import Profile, proposals
from services.probes.dicom import Peer
from services.probes.kinds.storage_classes import (
    CT_IMAGE,
    STORAGE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
    USUAL,
    VERIFICATION,
    classes_of,
)
from tests.integration.conftest import Run, Speak
from tests.integration.probes.suites.stage import hospital, items_of, whole_hospital

CONFORMANCE = "/probes/v1/conformance"
ENHANCED_CT = STORAGE["CT"][1]


@contextmanager
def taking(sop_classes: Sequence[str], port: int = 0) -> Iterator[Peer]:
    """An archive that takes these SOP classes, uncompressed, and nothing else."""
    entity = AE(ae_title="ARCHIVE")
    for sop_class in sop_classes:
        entity.add_supported_context(sop_class, [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
    server = entity.start_server(("127.0.0.1", port), block=False)
    assert server is not None
    try:
        yield Peer("127.0.0.1", int(server.server_address[1]), "ARCHIVE")
    finally:
        server.shutdown()


EVERYTHING = [VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_MOVE, *classes_of(USUAL)]


async def got(client: httpx.AsyncClient, url: str, **params: str) -> Any:
    answer = await client.get(url, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.seed("3")
async def test_matrix_is_negotiated_live_with_each_peer_and_kept(run: Run, speak: Speak, tmp_path: Path) -> None:
    """Archive (a real Orthanc), modality and workstation: each SOP class and transfer syntax, accepted or why not."""
    async with whole_hospital(run, speak, tmp_path / "archive") as system:
        done = await system.run("compatibility")
        listed = (await got(system.operator, CONFORMANCE, suite_run_id=done["id"]))["items"]
        assert {one["subject"] for one in listed} == set(system.nodes.values())
        for summary in listed:
            matrix = await got(system.operator, f"{CONFORMANCE}/{summary['id']}")
            [item] = [one for one in done["items"] if one["subject"] == summary["subject"]]
            asked = proposals(Profile(profile=item["interface"]))
            cells = {(cell["sop_class"], cell["transfer_syntax"]): cell for cell in matrix["cells"]}
            assert set(cells) == {(one.sop_class, one.transfer_syntax) for one in asked}
            assert len(asked) > 128, "more than one association carries"
            assert (
                sum(cell["accepted"] for cell in cells.values()) == summary["accepted"] == item["measures"]["accepted"]
            )
            assert all(cell["why"] != "accepted" for cell in cells.values() if not cell["accepted"])
        archive = next(one for one in listed if one["subject"] == system.nodes["north-pacs"])
        modality = next(one for one in listed if one["subject"] == system.nodes["ct-1"])
        assert (archive["missing"], archive["accepted"] > 200) == (0, True)
        assert modality["accepted"] < 5
        assert done["outcome"] == (await system.told(done["id"])).data.outcome == "passed"


async def test_what_is_needed_and_refused_fails_the_suite_and_is_named(run: Run, speak: Speak) -> None:
    """An archive that lost a storage class: the suite fails, the matrix says what, the difference says since when."""
    async with hospital(run, speak) as system:
        with taking(EVERYTHING) as before:
            node_id = await system.add("north-pacs", "archive", before)
            first = await system.run("compatibility")
        with taking([one for one in EVERYTHING if one != ENHANCED_CT], port=before.port):
            second = await system.run("compatibility")
        assert (first["outcome"], second["outcome"]) == ("passed", "failed")
        [failed] = items_of(second, interface="archive")
        assert (failed["failure"], failed["measures"]["missing"]) == ("conformance", 1)
        assert (
            "Enhanced CT Image Storage in Implicit VR Little Endian (abstract syntax not supported)" in failed["detail"]
        )
        latest, older = (await got(system.operator, CONFORMANCE, subject=node_id))["items"]
        changes = await got(system.operator, f"{CONFORMANCE}/{latest['id']}/differences")
        assert {one["sop_class"] for one in changes} == {ENHANCED_CT}
        lost = [one for one in changes if one["needed"]]
        assert [(one["before"], one["after"]) for one in lost] == [("accepted", "abstract syntax not supported")]
        named = await got(system.operator, f"{CONFORMANCE}/{older['id']}/differences", since=latest["id"])
        assert [(one["after"], one["before"]) for one in named] == [(one["before"], one["after"]) for one in changes]
        assert await got(system.operator, f"{CONFORMANCE}/{latest['id']}/differences", since=latest["id"]) == []
        south = system.steward.as_("sue", "viewer:south")
        assert (await south.get(f"{CONFORMANCE}/{latest['id']}")).status_code == 404
        assert (await got(south, CONFORMANCE))["items"] == []


async def test_suite_of_a_hospital_says_what_it_needs_of_whom(run: Run, speak: Speak) -> None:
    """Modalities, transfer syntaxes and single SOP classes are settings; a compressed one that is needed is refused."""
    jpeg = "1.2.840.10008.1.2.4.70"
    item = {
        "name": "CT in JPEG Lossless",
        "function": "conformance",
        "interface": "archive",
        "kind": "dicom-conformance",
        "role": "archive",
        "settings": {"modalities": ["CT"], "transfer_syntaxes": [jpeg], "required_transfer_syntaxes": [jpeg]},
    }
    async with hospital(run, speak) as system:
        with taking(EVERYTHING) as archive:
            await system.add("north-pacs", "archive", archive)
            done = await system.run(await system.make_suite(item))
        [failed] = done["items"]
        assert (failed["verdict"], failed["measures"]["missing"]) == ("failed", 2)
        [summary] = (await got(system.operator, CONFORMANCE))["items"]
        matrix = await got(system.operator, f"{CONFORMANCE}/{summary['id']}")
        refused = {
            cell["sop_class"]: cell["why"] for cell in matrix["cells"] if cell["needed"] and not cell["accepted"]
        }
        assert refused == dict.fromkeys([CT_IMAGE, ENHANCED_CT], "transfer syntaxes not supported")


async def test_node_behind_a_firewall_is_not_asked_because_it_is_new(run: Run, speak: Speak) -> None:
    """The run that comes by itself is told as not run where the settings say so; one that somebody asks for is made."""
    async with hospital(run, speak, probe_site_vantages={"north": None}) as system:
        with taking(EVERYTHING) as archive:
            node_id = await system.add("north-pacs", "archive", archive)
            hurry = "UPDATE suite_runs SET next_try = now() WHERE state = 'planned'; NOTIFY steward_suites"
            await system.steward.pools["probes"].execute(hurry)
            told = (await system.steward.heard.until("suite.completed")).data
            assert (told.about, [item.verdict for item in told.items if item.subject]) == (node_id, ["not_run"])
            assert "leave the nodes of north to nobody" in told.items[0].detail
            assert (await system.run("compatibility"))["outcome"] == "passed"


@pytest.mark.seed("87")
async def test_matrix_is_made_anew_when_a_modality_is_added(run: Run, speak: Speak) -> None:
    """A node more, or a new address, asks for the compatibility suite by itself; what is known already does not."""
    async with hospital(run, speak) as system:
        pool = system.steward.pools["probes"]
        hurry = "UPDATE suite_runs SET next_try = now() WHERE state = 'planned'; NOTIFY steward_suites"
        with taking(EVERYTHING) as archive, taking([VERIFICATION]) as modality:
            archive_id = await system.add("north-pacs", "archive", archive)
            await pool.execute(hurry)
            first = await system.steward.heard.until("suite.completed")
            assert (first.data.suite_id, first.data.about) == ("compatibility", archive_id)
            added = await system.add("ct-1", "modality", modality)
            await pool.execute(hurry)
            second = await system.steward.heard.until("suite.completed", lambda event: event.id != first.id)
            assert {item.subject for item in second.data.items if item.verdict == "passed"} == {archive_id, added}
            again = [one["subject"] for one in (await got(system.operator, CONFORMANCE))["items"]]
            assert sorted(again) == sorted([archive_id, archive_id, added])
            await system.tell("ct-1", "modality", modality, version=2)
            assert await pool.fetchval("SELECT count(*) FROM suite_runs WHERE state <> 'done'") == 0
            await system.tell("ct-1", "modality", Peer("127.0.0.1", archive.port, "CT_1"), version=3)
            assert await pool.fetchval("SELECT count(*) FROM suite_runs WHERE state = 'planned'") == 1
