"""The README of a package of evidence is enough to check it: a shell, openssl and Python, and nothing of Steward."""

import io
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from zipfile import ZipFile

import pytest

from services.compliance.export.evidence import Claim
from tests.unit.compliance.export.sealed_log import KEY, ORIGIN, SealedLog, minute
from tests.unit.compliance.export.test_evidence import sealed_log

QUESTIONS = (
    "size and root are the signed ones",
    "no number is missing",
    "none is missing before",
    "none is missing behind",
    "the manifest has the site's head",
)


def unpack(raw: bytes, folder: Path) -> tuple[str, str]:
    """Unpacks a package; returns the commands for a shell and the program for Python that its README shows."""
    with ZipFile(io.BytesIO(raw)) as archive:
        archive.extractall(folder)
    text = (folder / "README.txt").read_bytes().decode().replace("\r\n", "\n")
    shown = [text[text.index(f"    {first}") :].partition("\n\n   What")[0] for first in ("KEY=", "import base64")]
    commands, program = shown
    return dedent(commands.partition("\n\n   If")[0]), dedent(program)


def run(program: str, folder: Path) -> list[str]:
    """The lines that the Python program of the README prints."""
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def ask(program: str, folder: Path) -> dict[str, str]:
    """What it answers, by question."""
    answers = [line.partition(": ") for line in run(program, folder) if ": " in line]
    return {question: answer for question, _, answer in answers}


def is_signed(commands: str, folder: Path) -> bool:
    """What openssl says of the signature."""
    done = subprocess.run(["/bin/sh", "-c", commands], cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout or done.stderr
    return "Verified Successfully" in done.stdout


@pytest.mark.parametrize("site_id", ["north", "south", "group"])
@pytest.mark.parametrize(("start", "end"), [(0, 70), (10, 40), (0, 5), (55, 1000), (-100, 1), (-100, 1000)])
async def test_the_readme_finds_a_whole_package_whole(tmp_path: Path, site_id: str, start: int, end: int) -> None:
    """Whatever the place of the site in the manifest and of the period in the log."""
    raw = await sealed_log(70).package(Claim(site_id, minute(start), minute(end)))
    _, program = unpack(raw, tmp_path)
    assert ask(program, tmp_path) == dict.fromkeys(QUESTIONS, "True")


@pytest.mark.parametrize("sites", range(1, 12))
async def test_the_readme_finds_the_head_among_any_number_of_sites(tmp_path: Path, sites: int) -> None:
    """Each of them."""
    log = SealedLog()
    names = [f"site-{number:02}" for number in range(sites)]
    for number, name in enumerate(names):
        log.append(name, minute(number))
    log.seal(minute(20))
    for name in names:
        _, program = unpack(await log.package(Claim(name, minute(0), minute(20))), tmp_path)
        assert ask(program, tmp_path) == dict.fromkeys(QUESTIONS, "True")


@pytest.mark.parametrize(
    ("name", "found", "put", "question"),
    [
        ("entries.ndjson", '\\"data\\":\\"', '\\"data\\":\\"x', QUESTIONS[0]),
        ("checkpoint", "\n73\n", "\n72\n", QUESTIONS[0]),
        ("entries.ndjson", "north 5 ", "north 6 ", QUESTIONS[1]),
        ("entries.ndjson", "log.manifest", "log.accessed", QUESTIONS[4]),
        ("format.json", "T00:10:", "T00:01:", QUESTIONS[2]),
        ("format.json", "T00:40:", "T00:59:", QUESTIONS[3]),
        ("head.json", '"head": ', '"head": 1', QUESTIONS[4]),
        ("head.json", '"number": 1', '"number": 0', QUESTIONS[4]),
    ],
)
async def test_the_readme_finds_what_was_changed(
    tmp_path: Path, name: str, found: str, put: str, question: str
) -> None:
    """A program that finds nothing must be able to find something."""
    _, program = unpack(await sealed_log(68).package(Claim("north", minute(10), minute(40))), tmp_path)
    text = (tmp_path / name).read_text()
    assert found in text
    (tmp_path / name).write_text(text.replace(found, put))
    assert ask(program, tmp_path)[question] == "False"


async def test_the_readme_says_until_when_a_package_is_complete(tmp_path: Path) -> None:
    """Which is when it was signed, where the period was not over."""
    raw = await sealed_log(60).package(Claim("north", minute(10), minute(60) + timedelta(days=365)))
    _, program = unpack(raw, tmp_path)
    assert run(program, tmp_path)[-1] == "complete until 2026-01-01T01:00:00.000000Z"


@pytest.mark.parametrize("is_changed", [False, True])
async def test_openssl_checks_the_signature_as_the_readme_says(tmp_path: Path, is_changed: bool) -> None:
    """With the public key as it is handed over, and no other."""
    raw = await sealed_log(60).package(Claim("north", minute(10), minute(40)))
    commands, _ = unpack(raw, tmp_path)
    commands = commands.replace(f"the public key of {ORIGIN}, NAME+ID+BASE64", str(KEY.verifier))
    if is_changed:
        note = (tmp_path / "checkpoint").read_text()
        (tmp_path / "checkpoint").write_text(note.replace("\n", "\n1", 1))
    assert is_signed(commands, tmp_path) is not is_changed
