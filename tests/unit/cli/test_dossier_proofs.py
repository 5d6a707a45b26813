"""A dossier is believed as far as its proofs reach, and not a byte further."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.cli.dossier_proofs import Verdict, check_proofs
from services.compliance.verify.seals import Trust
from services.inventory.dossier.container import Member, NotADossier, directory, local_header
from services.inventory.dossier.package import read_package
from shared.events.inventory import AssetRetired
from tests.small_log import ORIGIN, key_of
from tests.unit.cli.small_dossier import (
    DRIVE,
    STEPS,
    SYSTEM_ID,
    Said,
    SmallDossier,
    bare,
    ending,
    opened,
    pack,
    signature,
)

TRUST = Trust((key_of(ORIGIN).verifier,))
SOUND = SmallDossier().raw


def verdict(raw: bytes, trust: Trust = TRUST) -> Verdict:
    """What the dossier shows. Raises NotADossier."""
    file = opened(raw)
    return check_proofs(read_package(file), file, trust)


def fault(raw: bytes, trust: Trust = TRUST) -> str:
    """Why the dossier is refused."""
    with pytest.raises(NotADossier) as refused:
        verdict(raw, trust)
    return str(refused.value)


def test_sound_dossier_shows_who_signed_and_when_it_ended() -> None:
    """All of its steps are proven, and what is trusted is the key."""
    found = verdict(SOUND)
    assert (found.signers, found.entries, found.retired.event.id) == (["anna", "bruno"], len(STEPS) + 3, "ev-c")
    assert "proofs/ev-1.tlog-proof" in fault(SOUND, Trust((key_of("other.example/log").verifier,)))


def test_no_byte_can_be_another() -> None:
    """Each byte of the smallest dossier is changed in turn, one bit of it; every time the dossier is refused."""
    sound, passed = bare(), []
    assert verdict(sound).entries == 4
    for at in range(len(sound)):
        try:
            verdict(sound[:at] + bytes([sound[at] ^ 1 << at % 8]) + sound[at + 1 :])
        except NotADossier:
            continue
        passed.append(at)
    assert not passed


def test_no_end_can_be_missing_and_none_added() -> None:
    """Cut anywhere, or with something behind or before it."""
    for length in range(0, len(SOUND), 7):
        assert fault(SOUND[:length])
    assert fault(SOUND + b"\0")
    assert fault(b"\0" + SOUND)
    assert fault(SOUND + SOUND)


def with_files(change: Callable[[dict[str, bytes]], object]) -> bytes:
    """The sound files after a change, packed as they should be."""
    dossier = SmallDossier()
    files = dict(dossier.files)
    change(files)
    return pack(files)


def test_no_file_can_be_missing_other_or_besides() -> None:
    """The first that is wrong is named."""
    names = list(SmallDossier().files)
    sound = SmallDossier().files
    for name in names:
        assert fault(pack({path: content for path, content in sound.items() if path != name})), name
        assert fault(pack(sound | {name: sound[name] + b" "})), name
    assert "dossier.pdf is missing" in fault(with_files(lambda files: files.pop("dossier.pdf")))
    assert "more.txt is no file that the manifest names" in fault(
        with_files(lambda files: files.update({"more.txt": b""}))
    )
    turned = dict(reversed(SmallDossier().files.items()))
    assert "the first file must be manifest.json" in fault(pack(turned))
    pdf = fault(with_files(lambda files: files.update({"dossier.pdf": b"%PDF-1.3 other"})))
    assert pdf == "dossier.pdf is not the file whose SHA-256 the manifest has"


def zipped(*members: tuple[str, bytes], mode: int = 0o100644, method: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP file as another program makes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr, info.create_system, info.compress_type = mode << 16, 3, method
            archive.writestr(info, content)
    return out.getvalue()


TWICE = Member("manifest.json", 1, zlib.crc32(b"1"))


def claiming(count: int) -> bytes:
    """The end of a ZIP file that says it has so many members, and has none."""
    return struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, 0, 0, 0)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (zipped(("manifest.json", b"0" * 10_000_000), method=zipfile.ZIP_DEFLATED), "is packed"),
        (zipped(("../../etc/passwd", b"x")), "could lead elsewhere"),
        (zipped(("/etc/passwd", b"x")), "could lead elsewhere"),
        (zipped(("documents/../../x", b"x")), "could lead elsewhere"),
        (zipped(("documents\\x", b"x")), "could lead elsewhere"),
        (zipped(("C:x", b"x")), "could lead elsewhere"),
        (zipped(("a\0b", b"x"), ("ä", b"x")), "could lead elsewhere"),
        (zipped(("a" * 300, b"x")), "not where the end"),
        (local_header(TWICE) + b"1" + local_header(TWICE) + b"1" + directory([TWICE, TWICE]), "is there twice"),
        (zipped(("manifest.json", b"/etc/passwd"), mode=0o120777), "is no plain file but a link"),
        (zipped(("documents/", b""), mode=0o040755), "could lead elsewhere"),
        (zipped(), "the first file must be manifest.json"),
        (claiming(65_535), "cut or changed"),
        (b"", "cut or changed"),
        (b"PK", "cut or changed"),
        (b"\0" * 4096, "does not end as a dossier does"),
        (pack({"manifest.json": b"[" * 100_000, "dossier.pdf": b""}), "is no JSON"),
        (pack({"manifest.json": b'{"a": 1}'}), "not in its canonical form"),
        (pack({"manifest.json": b"{}"}), "missing required field"),
        (pack({"manifest.json": b"\xff"}), "is no JSON"),
    ],
)
def test_hostile_files_are_refused(raw: bytes, why: str) -> None:
    """Bombs, names that lead elsewhere, doubles, links, lies about length, and what is no manifest."""
    assert why in fault(raw)


def bent(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Changes the first thing of a list in the manifest."""
    [(name, change)] = changes.items()
    return lambda manifest: manifest[name][0].update(change)


def without(name: str) -> Callable[[dict[str, Any]], object]:
    """Takes the first thing of a list out of the manifest."""
    return lambda manifest: manifest[name].pop(0)


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (bent(transitions={"actor": "mallory"}), "its transitions are not those"),
        (bent(transitions={"to_state": "closed"}), "its transitions are not those"),
        (bent(custody={"to_holder": "Mallory"}), "its links of custody are not those"),
        (bent(custody={"at": "2026-03-02T00:00:00Z"}), "its links of custody are not those"),
        (without("custody"), "its links of custody are not those"),
        (lambda manifest: manifest["disposals"][0]["lines"][0].update(serial="Z-9"), "its disposals are not those"),
        (without("disposals"), "its disposals are not those"),
        (bent(evidence={"sha256": "1" * 64}), "its evidence are not those"),
        (bent(evidence={"revoked_at": None}), "its evidence are not those"),
        (bent(waivers={"kind": "sanitization_certificate"}), "its waivers are not those"),
        (bent(certificates={"validated_by": "mallory"}), "the certificate of Z-0000 is not the one"),
        (bent(certificates={"event_id": "ev-1"}), "the certificate of Z-0000 is not the one"),
        (bent(transitions={"at": None}), "its transitions are not those"),
        (lambda manifest: manifest["transitions"][0].pop("actor"), "'actor'"),
        (lambda manifest: manifest["evidence"].append({}), "'revoked_at'"),
        (lambda manifest: manifest.update(format="steward-dossier/2"), "the format"),
        (lambda manifest: manifest["asset"].update(site_id="south"), "and the asset is at south"),
        (lambda manifest: manifest["asset"].update(id=DRIVE.id), "is about"),
        (bent(events={"sha256": "1" * 64}), "is not the one that its place proves"),
        (bent(events={"id": "ev-2"}), "is not the one that its place proves"),
        (lambda manifest: manifest["files"].pop(), "its files are not dossier.pdf and its documents"),
        (lambda manifest: manifest["documents"].clear(), "its files are not dossier.pdf and its documents"),
    ],
)
def test_manifest_that_was_signed_but_is_not_what_happened_is_refused(
    tamper: Callable[[dict[str, Any]], object], why: str
) -> None:
    """Signatures and digest are sound; the log tells otherwise."""
    assert why in fault(SmallDossier(tamper=tamper).raw)


def ends(*said: Callable[[str], Said]) -> Callable[[str], Sequence[Said]]:
    """An end of these events, each of the digest."""
    return lambda digest: [one(digest) for one in said]


def anna(digest: str) -> Said:
    """The operator's signature."""
    return signature(digest, "ev-a", "anna")


def bruno(digest: str) -> Said:
    """The approver's."""
    return signature(digest, "ev-b", "bruno", "approver")


def retired(digest: str) -> Said:
    """The end."""
    return ending(digest)[2]


def other_digest(of: Callable[[str], Said]) -> Callable[[str], Said]:
    """The same of another manifest."""
    return lambda _: of("f" * 64)


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (ends(), "the proof of asset.retired is missing"),
        (ends(anna, bruno), "the proof of asset.retired is missing"),
        (ends(retired), "signed by nobody; two people"),
        (ends(bruno, retired), "signed by bruno; two people"),
        (ends(bruno, lambda d: replace(anna(d), actor="bruno"), retired), "signed by bruno; two people"),
        (ends(anna, lambda d: signature(d, "ev-d", "dora"), retired), "one of them must have signed as approver"),
        (ends(anna, other_digest(bruno), retired), "is of the digest ffff"),
        (ends(anna, bruno, other_digest(retired)), "is of the digest ffff"),
        (ends(anna, bruno, lambda d: replace(retired(d), subject=DRIVE.id)), "is about"),
        (ends(anna, lambda d: replace(bruno(d), subject=DRIVE.id), retired), "is about"),
        (ends(anna, lambda d: replace(bruno(d), source="/services/backup"), retired), "is about"),
        (ends(anna, bruno, lambda d: replace(retired(d), site_id="south")), "is an entry of site south"),
        (ends(anna, lambda d: replace(STEPS[0], id="ev-x"), bruno, retired), "none that the manifest names"),
        (
            ends(
                anna,
                bruno,
                lambda d: Said("ev-c", AssetRetired(kind="system", name="n", reason="r"), SYSTEM_ID),
            ),
            "is of the digest None",
        ),
    ],
)
def test_signatures_that_do_not_count_are_refused(end: Callable[[str], Sequence[Said]], why: str) -> None:
    """Too few, of one person, of operators alone, on something else, of somebody else's asset or site."""
    assert why in fault(SmallDossier(end=end).raw)


def test_signature_that_was_given_behind_the_end_is_refused() -> None:
    """It stands before it in the file; the log says otherwise."""
    late = SmallDossier(end=ends(anna, retired, bruno))
    order = list(late.files)
    files = {name: late.files[name] for name in (*order[:-4], *order[-2:], *order[-4:-2])}
    assert "was given after the asset was retired" in fault(pack(files))


def test_proof_of_another_entry_proves_nothing() -> None:
    """Two proofs that have changed places, and one with words that nobody signed."""
    files = dict(SmallDossier().files)
    one, other = "proofs/ev-1.tlog-proof", "proofs/ev-2.tlog-proof"
    files[one], files[other] = files[other], files[one]
    assert one in fault(pack(files))
    files = dict(SmallDossier().files)
    files[one] = files[one].replace(b"\nindex", b"\nextra AAAA\nindex", 1)
    assert "holds data that nobody has signed" in fault(pack(files))
