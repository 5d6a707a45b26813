"""Checks of what a PACS needs, from the REST API to the events that tell of real peers."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.integration.conftest import Run, Speak
from tests.integration.probes.checks.ward import warded
from tests.integration.probes.fleet import DAY, listening_node
from tests.integration.probes.kinds.asked import SECRETS
from tests.integration.probes.kinds.serving import serving
from tests.integration.probes.kinds.test_database import by_tcp, prepared, settings_of
from tests.integration.probes.kinds.test_web_login import Site
from tests.parts.certificates import make_certificate
from tests.parts.orthanc import Orthanc
from tests.parts.pynetdicom_archive import PynetdicomArchive

__all__ = ["prepared"]


@pytest.mark.seed("7")
async def test_web_dicom_database_and_processes_are_checked_on_a_schedule(
    run: Run, speak: Speak, database: str, prepared: str, tmp_path: Path
) -> None:
    """A web server, a node, a PostgreSQL and this machine's processes: each is ok, and asked again when it is due."""
    page = Route("/", lambda _: HTMLResponse("PACS is up"))
    async with by_tcp(database) as port, serving([page]) as url, warded(run, speak, tmp_path) as ward:
        with listening_node() as node:
            address = {"host": node.host, "port": node.port, "ae_title": node.ae_title}
            asked: dict[str, dict[str, Any]] = {
                "http": {"url": f"{url}/", "contains": "PACS is up"},
                "dicom-echo": address,
                "database": settings_of(database, prepared, port, password="north.word"),
                "command": {"program": "check_procs", "arguments": ["-c", "1:"]},
            }
            for kind, settings in asked.items():
                probe_id = await ward.check(kind, settings, interval_seconds=1, timeout_seconds=0.8)
                first = await ward.told(probe_id)
                second = await ward.told(probe_id, after=first.due_at)
                third = await ward.told(probe_id, after=second.due_at)
                assert (third.due_at - second.due_at).total_seconds() % 1 == pytest.approx(0, abs=0.001)
                assert {first.outcome, second.outcome, third.outcome} == {"ok"}, third.detail


@pytest.mark.seed("23")
async def test_speed_of_retrieval_from_an_archive_is_told(run: Run, speak: Speak, tmp_path: Path) -> None:
    """Bytes a second and the time to the first image, of a study that Orthanc delivers."""
    async with warded(run, speak, tmp_path) as ward:
        with Orthanc(tmp_path / "orthanc") as archive:
            address = {"host": "127.0.0.1", "port": archive.port, "ae_title": archive.ae_title}
            probe_id = await ward.check("dicom-retrieve", address | {"images": 6}, interval_seconds=600)
            told = await ward.told(probe_id)
    assert told.outcome == "ok", told.detail
    assert told.measures["instances"] == 6
    assert told.measures["bytes_per_second"] == pytest.approx(
        told.measures["bytes"] / told.measures["retrieve_seconds"], rel=0.01
    )
    assert 0 < told.measures["first_image_seconds"] <= told.measures["retrieve_seconds"]


@pytest.mark.seed("25")
async def test_login_to_a_viewer_is_scripted_and_timed(run: Run, speak: Speak, tmp_path: Path) -> None:
    """From the form to the page behind it, as a user of the viewer; the password is in no event."""
    site = Site()
    routes = [
        Route("/", site.form),
        Route("/login", site.login, methods=["POST"]),
        Route("/worklist", site.worklist),
    ]
    async with serving(routes) as url, warded(run, speak, tmp_path) as ward:
        login = {"how": "form", "url": f"{url}/", "username": "ann", "password": "north.word", "contains": "Worklist"}
        told = await ward.told(await ward.check("web-login", login))
        assert told.outcome == "ok", told.detail
        assert 0 < told.measures["login_seconds"] < 5
        assert len(site.sessions) >= 1
        assert not [event for event in ward.steward.heard.events if SECRETS["word"] in str(event)]


@pytest.mark.seed("26")
async def test_query_of_a_database_is_timed(
    run: Run, speak: Speak, database: str, prepared: str, tmp_path: Path
) -> None:
    """A real PostgreSQL answers a query; login and query are told apart."""
    async with by_tcp(database) as port, warded(run, speak, tmp_path) as ward:
        told = await ward.told(
            await ward.check("database", settings_of(database, prepared, port, password="north.word"))
        )
    assert told.outcome == "ok", told.detail
    assert told.measures["value"] == 7
    assert told.measures["query_seconds"] > 0
    assert told.measures["login_seconds"] > 0


@pytest.mark.seed("37")
async def test_old_antivirus_definitions_of_a_workstation_are_an_alert(run: Run, speak: Speak, tmp_path: Path) -> None:
    """Their age is read from the workstation's exporter; beyond the limit it is alerted."""
    registry = CollectorRegistry()
    updated = Gauge("antivirus_definitions_timestamp_seconds", "When they were made.", registry=registry)
    updated.set(time.time() - 10 * DAY)
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    try:
        async with warded(run, speak, tmp_path) as ward:
            page = {"url": f"http://127.0.0.1:{server.server_port}/metrics", "is_time": True}
            limits = {"age_seconds": {"warning": 3 * DAY, "critical": 7 * DAY}}
            probe_id = await ward.check(
                "prometheus",
                page | {"metric": "antivirus_definitions_timestamp_seconds"},
                interval_seconds=1,
                timeout_seconds=0.8,
                retry_interval_seconds=1,
                limits=limits,
            )
            told = await ward.told(probe_id)
            assert told.measures["age_seconds"] == pytest.approx(10 * DAY, abs=600)
            alert = await ward.steward.heard.until("alert.raised")
            assert (alert.subject, alert.data.severity) == (ward.system, "critical")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.seed("60")
async def test_encryption_of_dicom_is_validated(run: Run, speak: Speak, tmp_path: Path) -> None:
    """Of an archive that speaks DICOM in TLS: version, cipher, chain and expiry; and that DICOM goes through it."""
    certificate = make_certificate(tmp_path)
    async with warded(run, speak, tmp_path) as ward:
        for name, file in (("ca", certificate.ca), ("own", certificate.chain), ("key", certificate.key)):
            shutil.copy(file, ward.secrets / f"north.{name}")
        with PynetdicomArchive(tmp_path / "archive", certificate=certificate) as archive:
            where = {"host": "127.0.0.1", "port": archive.port}
            shown = {"trust": "north.ca", "client_certificate": "north.own", "client_key": "north.key"}
            seen = await ward.told(await ward.check("tls", where | shown))
            assert seen.outcome == "ok", seen.detail
            assert seen.facts["tls_version"] in ("TLSv1.2", "TLSv1.3")
            assert seen.facts["cipher"]
            assert "CN=Test CA" in seen.facts["chain"]
            assert 0 < seen.measures["expires_in_days"] < 2
            tls = {"ca": "north.ca", "certificate": "north.own", "key": "north.key"}
            node = where | {"ae_title": archive.ae_title, "tls": tls}
            echoed = await ward.told(await ward.check("dicom-echo", node))
            assert echoed.outcome == "ok", echoed.detail
            assert echoed.phases["tls"] > 0
            another = make_certificate(tmp_path).ca
            shutil.copy(another, ward.secrets / "north.ca")
            strange = await ward.told(await ward.check("dicom-echo", node, name="By another authority"))
            assert (strange.outcome, strange.failure) == ("failed", "tls_untrusted"), strange.detail
