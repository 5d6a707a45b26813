"""`steward dossier fetch` and `steward dossier verify`: a life that anybody checks with the log's key alone."""

import asyncio
import io
import socket
import sys
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import httpx
import pytest
from click.testing import CliRunner, Result

from services.__main__ import main
from services.cli.dossier import verify_dossier
from services.cli.dossier_proofs import check_proofs
from services.compliance.__main__ import build as build_compliance
from services.compliance.settings import ComplianceSettings
from services.compliance.verify.seals import Trust
from services.inventory.__main__ import build as build_inventory
from services.inventory.dossier.container import Member, NotADossier, directory, local_header
from services.inventory.dossier.package import read_package
from services.inventory.settings import InventorySettings
from tests.harness import Harness
from tests.integration.compliance.log.live import KEY, signed
from tests.integration.compliance.witness.station import serving
from tests.integration.conftest import Run, Speak
from tests.integration.inventory.conftest import SITES
from tests.integration.inventory.dossier.retirement import Retirement
from tests.news import until
from tests.small_log import key_of

STEP = 97
"""Which bytes of the real file are tried: each one of so many, which meets every member."""

PUBLISHED = "SELECT size = (SELECT max(size) FROM checkpoints) FROM head"
LOGGED = "SELECT EXISTS (SELECT FROM types WHERE type = 'asset.retired')"


@dataclass(frozen=True)
class Running:
    """Inventory and compliance, over real HTTP."""

    steward: Harness
    retirement: Retirement
    url: str


@pytest.fixture
async def running(run: Run, speak: Speak, tmp_path: Path) -> AsyncIterator[Running]:
    """A system of two drives in service, and a log that is signed often."""
    services = {
        "inventory": (build_inventory, InventorySettings, {}),
        "compliance": (build_compliance, ComplianceSettings, signed(tmp_path)),
    }
    async with run(**services) as steward, speak("backup") as backup:
        transport = steward.http._transport
        assert isinstance(transport, httpx.ASGITransport)
        for site in SITES:
            assert (await steward.admin.post("/inventory/v1/sites", json=site)).status_code == 201
        retirement = Retirement(steward, backup)
        await retirement.begin()
        async with serving(transport.app) as url:
            yield Running(steward, retirement, url)


async def fetch(running: Running, monkeypatch: pytest.MonkeyPatch, file: Path) -> object:
    """What the command ends with that writes the dossier into a file."""
    monkeypatch.setenv("STEWARD_URL", running.url)
    monkeypatch.setenv("STEWARD_TOKEN", running.steward.issuer.token("nora", ["auditor:north"]))
    arguments = ["steward", "dossier", "fetch", running.retirement.system["id"], "--out", str(file)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main)
    return ended.value.code


def verify(file: Path, key: object = KEY.verifier) -> Result:
    """What the check says."""
    return CliRunner().invoke(verify_dossier, [str(file), "--key", str(key)])


@pytest.mark.seed("93")
@pytest.mark.seed("94")
async def test_life_of_a_system_is_verified_offline(
    running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two drives, from retiring to closed; then the file and the key are enough, and nothing in the file can differ."""
    await running.retirement.dispose()
    await running.retirement.add_document()
    dossier = await running.retirement.close()
    compliance = running.steward.pools["compliance"]
    retired = await running.steward.heard.until("asset.retired", lambda e: e.data.kind == "system")
    assert retired.data.dossier_sha256 == dossier["sha256"]
    await until(compliance, f"{LOGGED} AND ({PUBLISHED})")
    file = tmp_path / "dossier.zip"
    assert await fetch(running, monkeypatch, file) == 0
    assert left_in(tmp_path) == ["dossier.zip"]
    monkeypatch.setattr(socket, "socket", _no_network)
    found = verify(file)
    assert found.exit_code == 0, found.output
    assert f"verified: the dossier {dossier['sha256']} of system North archive" in found.output
    assert "signed by anna and bruno" in found.output
    assert verify(file, key_of("other.example/log").verifier).exit_code == 1
    check_bytes(file)
    check_members(file)


def left_in(folder: Path) -> list[str]:
    """The dossiers that lie there, finished or not."""
    return [path.name for path in folder.glob("dossier*")]


def _no_network(*_: object, **__: object) -> None:
    raise AssertionError("the check takes no network")


def check_bytes(file: Path) -> None:
    """Whichever of these bytes is another, the dossier is refused; the unit tests try each byte of a small one."""
    sound, trust = file.read_bytes(), Trust((KEY.verifier,))
    passed = []
    for at in range(0, len(sound), STEP):
        spoilt = io.BytesIO(sound[:at] + bytes([sound[at] ^ 1 << at % 8]) + sound[at + 1 :])
        try:
            check_proofs(read_package(spoilt), spoilt, trust)
        except NotADossier:
            continue
        passed.append(at)
    assert not passed


def check_members(file: Path) -> None:
    """Without any one of its files, or with one more, it is refused, though it be a sound ZIP file."""
    archive = zipfile.ZipFile(io.BytesIO(file.read_bytes()))
    names = archive.namelist()
    assert names[:2] == ["manifest.json", "dossier.pdf"]
    sound = {name: archive.read(name) for name in names}
    for name in (*names[:3], *names[-4:]):
        assert refused_as_written(file, {path: content for path, content in sound.items() if path != name}), name
    assert refused_as_written(file, sound | {"more.txt": b"more"})
    assert refused_as_written(file, sound | {"proofs/more.entry": b"more", "proofs/more.tlog-proof": b"more"})
    assert not refused_as_written(file, sound)


def refused_as_written(file: Path, files: dict[str, bytes]) -> bool:
    """Whether these files, packed as Steward packs them, are refused."""
    members = [Member(name, len(content), crc32(content)) for name, content in files.items()]
    contents = b"".join(local_header(one) + files[one.path] for one in members)
    packed = file.with_name("packed.zip")
    packed.write_bytes(contents + directory(members))
    return verify(packed).exit_code == 1


async def test_dossier_of_what_is_not_closed_is_not_fetched(
    running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is none, or it was not retired with it; no file is left behind."""
    file = tmp_path / "dossier.zip"
    assert await fetch(running, monkeypatch, file) == 1
    assert "no dossier of system" in capsys.readouterr().err
    assert left_in(tmp_path) == []


def test_what_can_not_be_read_is_no_verdict(tmp_path: Path) -> None:
    """No such file, or no key to check it by: neither verified nor refused."""
    for arguments in ([str(tmp_path / "none.zip"), "--key", str(KEY.verifier)], [str(tmp_path / "none.zip")]):
        found = CliRunner().invoke(verify_dossier, arguments)
        assert (found.output, type(found.exception).__name__) in {("", "Unavailable"), ("", "WrongSetting")}
