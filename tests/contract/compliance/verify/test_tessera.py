"""Logs that Tessera's POSIX driver has written verify, from folder and over HTTP; what is changed in them is found.

Tessera's fsck accepts a bundle with one entry too many. This verifier does not.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from services.compliance.checkpoints.note import VerifierKey
from services.compliance.log.tiles import Bundle, Tile
from services.compliance.verify.directory import DirectorySource
from services.compliance.verify.domain import Report, Source
from services.compliance.verify.handlers import Verification, verify
from services.compliance.verify.rest import RestSource
from services.compliance.verify.seals import Trust
from tests.contract.compliance.log.serving import served
from tests.parts.tessera import PosixLog, build_posix_log

ORIGIN = "tessera.example.org/log"
SIZES = [1, 255, 256, 257, 600, 65_537]
LARGE = 600


def tesseras(folder: Path, size: int) -> PosixLog:
    """A log of Tessera's."""
    return build_posix_log(folder / "log", ORIGIN, [b"entry %d" % index for index in range(size)])


async def verified(source: Source, key: str) -> Report:
    """What a verification finds."""
    wanted = Verification(source, Trust((VerifierKey.parse(key),)), ours=False, step=1024)
    return (await asyncio.to_thread(verify, wanted))[0]


@pytest.mark.parametrize("size", SIZES)
async def test_logs_of_tessera_verify_from_their_folder_and_over_http(tmp_path: Path, size: int) -> None:
    """The whole log, and its checkpoint by Tessera's key."""
    log = tesseras(tmp_path, size)
    with served(log.folder) as url:
        reports = [
            await verified(DirectorySource(log.folder, sealed=False), log.public_key),
            await verified(RestSource(url), log.public_key),
        ]
    for report in reports:
        assert report.fault is None, str(report.fault)
        assert (report.size, report.checkpoints) == (size, 1)


def flip(path: Path) -> None:
    """Another first byte behind an entry's length."""
    body = bytearray(path.read_bytes())
    body[3] ^= 1
    path.write_bytes(body)


def flip_last(path: Path) -> None:
    """Another last byte."""
    body = bytearray(path.read_bytes())
    body[-1] ^= 1
    path.write_bytes(body)


def add_entry(path: Path) -> None:
    """One entry more than a bundle may have."""
    path.write_bytes(path.read_bytes() + b"\x00\x03one")


@pytest.mark.parametrize(
    ("resource", "change", "kind"),
    [
        (Bundle(1), flip, "leaf-hash"),
        (Bundle(1), add_entry, "bundle-long"),
        (Bundle(2, LARGE - 512), add_entry, "bundle-long"),
        (Tile(0, 1), flip, "leaf-hash"),
        (Tile(0, 1), Path.unlink, "tile-missing"),
        (Tile(1, 0, 2), flip_last, "subtree"),
    ],
)
async def test_a_change_to_a_log_of_tessera_is_found(
    tmp_path: Path, resource: Bundle | Tile, change: Callable[[Path], object], kind: str
) -> None:
    """From the folder and over HTTP alike."""
    log = tesseras(tmp_path, LARGE)
    change(log.folder / resource.path)
    with served(log.folder) as url:
        reports = [
            await verified(DirectorySource(log.folder, sealed=False), log.public_key),
            await verified(RestSource(url), log.public_key),
        ]
    assert [report.fault and report.fault.kind for report in reports] == [kind, kind]
