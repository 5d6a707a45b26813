"""Each kind of damage to the parts of a log is told by its name and place; so is each lie of an owner who signs it."""

import json
from collections.abc import Callable
from random import Random

import pytest

from services.compliance.log.tree import leaf_hash
from services.compliance.verify.domain import Fault, Report
from services.compliance.verify.handlers import Verification, verify
from services.compliance.verify.seals import Trust
from tests.unit.compliance.verify.grown import KEY, OTHER, TRUST, WITNESS, Grown, Memory, files_of, grown, signed

Files = dict[str, bytes]
Entries = list[bytes]
LOG = grown(18)
ENTRIES = LOG.entries
SIZE = len(ENTRIES)
LAST = SIZE // 256
EDGE = SIZE % 256


def report_of(files: Files, **how: object) -> Report:
    """The report on a log, from the first entry on."""
    return verify(Verification(Memory(files), **{"trust": TRUST, **how}))[0]  # type: ignore[arg-type]  # -- as given


def fault_of(files: Files, **how: object) -> Fault:
    """What is wrong with a log."""
    fault = report_of(files, **how).fault
    assert fault is not None
    return fault


def at(number: int) -> tuple[int, int]:
    """One entry."""
    return number, number + 1


def entry_of(body: bytes, number: int) -> tuple[int, int]:
    """Where an entry lies in a bundle, with its length."""
    begin = 0
    for _ in range(number):
        begin += 2 + int.from_bytes(body[begin : begin + 2])
    return begin, begin + 2 + int.from_bytes(body[begin : begin + 2])


def cut(body: bytes, first: int, end: int) -> bytes:
    """A bundle without some of its entries."""
    return body[: entry_of(body, first)[0]] + body[entry_of(body, end - 1)[1] :]


BUNDLE, LEAVES, ABOVE = "tile/entries/001", "tile/0/001", f"tile/1/000.p/{LAST}"


@pytest.mark.parametrize(
    ("name", "damage", "kind", "where"),
    [
        (BUNDLE, lambda body: None, "bundle-missing", (256, 512)),
        (BUNDLE, lambda body: b"", "bundle-empty", (256, 512)),
        (BUNDLE, lambda body: cut(body, 255, 256), "bundle-short", at(511)),
        (BUNDLE, lambda body: body[:-1], "bundle-cut", at(511)),
        (BUNDLE, lambda body: body[: entry_of(body, 9)[0] + 1], "bundle-cut", at(265)),
        (BUNDLE, lambda body: body + body[: entry_of(body, 0)[1]], "bundle-long", (256, 512)),
        (BUNDLE, lambda body: body + b"\0", "bundle-long", (256, 512)),
        (BUNDLE, lambda body: cut(body, 7, 8), "leaf-hash", at(263)),
        (BUNDLE, lambda body: body.replace(b"Hospital", b"Hospitel", 1), "leaf-hash", at(256)),
        (LEAVES, lambda body: None, "tile-missing", (256, 512)),
        (LEAVES, lambda body: b"", "tile-empty", (256, 512)),
        (LEAVES, lambda body: body[:-32], "tile-width", (256, 512)),
        (LEAVES, lambda body: body + body[:32], "tile-width", (256, 512)),
        (LEAVES, lambda body: body[:-1], "tile-short", (256, 512)),
        (LEAVES, lambda body: body + b"\0", "tile-long", (256, 512)),
        (LEAVES, lambda body: body[:64] + body[96:128] + body[64:96] + body[128:], "leaf-hash", at(258)),
        (ABOVE, lambda body: None, "tile-missing", (0, LAST * 256)),
        (ABOVE, lambda body: body[:32] + bytes(32), "subtree", (256, 512)),
        (ABOVE, lambda body: body[32:], "tile-width", (0, LAST * 256)),
        ("tile/2/000.p/1", lambda body: bytes(32), "unexpected", (SIZE, SIZE)),
        ("tile/0/000.p/7", lambda body: bytes(32 * 7), "partial", (0, 256)),
        ("tile/entries/000.p/7", lambda body: b"", "partial", (0, 256)),
        ("tile/entries/0000", lambda body: b"x", "unexpected", (SIZE, SIZE)),
        (f"tile/entries/{LAST:03}", lambda body: b"x", "unexpected", (SIZE, SIZE)),
        ("checkpoint", lambda body: None, "checkpoint", (0, 0)),
        ("checkpoint", lambda body: b"", "checkpoint", (0, 0)),
        ("checkpoint", lambda body: body.replace(b"hospitals", b"hospital", 1), "signature", at(SIZE - 1)),
        ("checkpoint", lambda body: signed(SIZE, bytes(32)), "root", at(SIZE - 1)),
        ("checkpoint", lambda body: signed(SIZE, LOG.state.edge.root, key=OTHER), "signature", at(SIZE - 1)),
        ("checkpoint", lambda body: signed(SIZE, LOG.state.edge.root, cosigned=False), "cosignature", at(SIZE - 1)),
        ("checkpoint", lambda body: body + body.splitlines(keepends=True)[-1], "checkpoint", (0, 0)),
        ("checkpoint", lambda body: signed(SIZE - 1, LOG.state.edge.root), "bundle-missing", (LAST * 256, SIZE - 1)),
        ("checkpoint", lambda body: signed(SIZE + 1, LOG.state.edge.root), "bundle-missing", (LAST * 256, SIZE + 1)),
    ],
)
def test_damage_to_a_part_is_told_by_its_kind_and_place(
    name: str, damage: Callable[[bytes], bytes | None], kind: str, where: tuple[int, int]
) -> None:
    """Every part of a log in every way in which it can be wrong."""
    files = files_of(ENTRIES)
    damaged = damage(files.get(name, b""))
    if damaged is None:
        del files[name]
    else:
        files[name] = damaged
    fault = fault_of(files)
    assert (fault.kind, (fault.first, fault.end)) == (kind, where), str(fault)


def with_event(entry: bytes, **members: object) -> bytes:
    """The entry around another event."""
    header, _, event = entry.partition(b"\n")
    return header + b"\n" + json.dumps({**json.loads(event), **members}).encode()


def with_header(entry: bytes, place: int, text: str) -> bytes:
    """The entry with another site, sequence or time."""
    header, _, event = entry.partition(b"\n")
    parts = header.decode().split(" ")
    parts[place] = text
    return " ".join(parts).encode() + b"\n" + event


MANIFEST = LOG.manifests[1] - 1
PLAIN = next(n for n in range(300, SIZE) if b"AlertRaised" not in ENTRIES[n] and n + 1 not in LOG.manifests)
SECOND = next(n for n in range(PLAIN + 1, SIZE) if ENTRIES[n].split(b" ")[0] == ENTRIES[PLAIN].split(b" ")[0])


def edited(place: int, edit: Callable[[bytes], bytes]) -> Entries:
    """The entries with one of them edited."""
    return [*ENTRIES[:place], edit(ENTRIES[place]), *ENTRIES[place + 1 :]]


@pytest.mark.parametrize(
    ("entries", "kind", "place"),
    [
        ([*ENTRIES[:PLAIN], *ENTRIES[PLAIN + 1 :]], "site-sequence", SECOND - 1),
        ([*ENTRIES[:PLAIN], ENTRIES[PLAIN], *ENTRIES[PLAIN:]], "site-sequence", PLAIN + 1),
        (edited(PLAIN, lambda entry: with_header(entry, 1, "0")), "site-sequence", PLAIN),
        (edited(PLAIN, lambda entry: with_header(entry, 1, "007")), "entry-format", PLAIN),
        (edited(PLAIN, lambda entry: with_header(entry, 2, "2020-01-01T00:00:00.000000Z")), "recorded-at", PLAIN),
        (edited(PLAIN, lambda entry: with_header(entry, 2, "2026-03-01T00:00:00Z")), "entry-format", PLAIN),
        (edited(PLAIN, lambda entry: with_header(entry, 0, "North")), "entry-format", PLAIN),
        (edited(PLAIN, lambda entry: entry.replace(b"\n", b" ")), "entry-format", PLAIN),
        (edited(PLAIN, lambda entry: entry.partition(b"\n")[0] + b"\n"), "entry-format", PLAIN),
        (edited(PLAIN, lambda entry: b""), "entry-format", PLAIN),
        (edited(PLAIN, lambda entry: entry[:-1]), "event", PLAIN),
        (edited(PLAIN, lambda entry: with_event(entry, type=7)), "event", PLAIN),
        (edited(PLAIN, lambda entry: with_event(entry, siteid="east")), "site", PLAIN),
        (edited(MANIFEST, lambda entry: with_event(entry, data={"sites": 3, "root": "AAAA"})), "manifest", MANIFEST),
        (edited(MANIFEST, lambda entry: with_event(entry, data={})), "manifest", MANIFEST),
        (edited(MANIFEST, lambda entry: entry.replace(b'"sites":4', b'"sites":5')), "manifest", MANIFEST),
        (ENTRIES[:-1], "manifest-missing", SIZE - 2),
    ],
)
def test_a_lie_that_is_hashed_and_signed_anew_is_told_by_its_kind_and_place(
    entries: Entries, kind: str, place: int
) -> None:
    """Whoever holds the key can still not leave out, repeat, reorder or redate an entry unseen."""
    fault = fault_of(files_of(entries))
    assert (fault.kind, fault.first, fault.end) == (kind, place, place + 1), str(fault)


def test_the_first_of_several_faults_is_told() -> None:
    """In the order of the entries, whatever part each is in."""
    files = files_of(ENTRIES)
    files[f"tile/entries/{LAST:03}.p/{EDGE}"] = b""
    files["tile/0/001"] = b""
    assert (fault_of(files).kind, fault_of(files).first) == ("tile-empty", 256)
    files[ABOVE] = bytes(32 * LAST)
    assert (fault_of(files).kind, fault_of(files).first) == ("subtree", 0)
    files["tile/entries/000"] = files["tile/entries/000"][:-1]
    assert (fault_of(files).kind, fault_of(files).first) == ("bundle-cut", 255)


@pytest.mark.parametrize("step", [256, 512, 16_384])
def test_a_sound_log_verifies_however_it_is_cut_into_ranges(step: int) -> None:
    """The root, the sites and the size are those of the appender."""
    report = report_of(files_of(ENTRIES), step=step)
    assert report.fault is None, str(report.fault)
    assert (report.size, report.root, report.sites, report.checkpoints) == (SIZE, LOG.state.edge.root, 4, 1)
    assert report.unchecked == []


@pytest.mark.parametrize("seed", range(12))
def test_logs_of_many_shapes_verify(seed: int) -> None:
    """Whatever the batches were, ranges join without a seam."""
    log: Grown = grown(Random(seed).randint(1, 30), seed, [f"site-{n}" for n in range(seed + 1)])
    report = report_of(files_of(log.entries), step=256)
    assert report.fault is None, str(report.fault)
    assert report.root == log.state.edge.root


def test_without_a_key_the_report_says_that_no_signature_was_checked() -> None:
    """A log that is signed by nobody known can only agree with itself."""
    files = files_of(ENTRIES)
    files["checkpoint"] = signed(SIZE, LOG.state.edge.root, key=OTHER)
    report = report_of(files, trust=Trust())
    assert report.fault is None
    assert report.unchecked == ["no key was given: no signature was checked"]


def test_one_of_two_keys_is_enough_while_they_rotate() -> None:
    """Who was given the old key and the new one accepts what either signed."""
    trust = Trust((OTHER.verifier, KEY.verifier), TRUST.witnesses, 1)
    assert report_of(files_of(ENTRIES), trust=trust).fault is None


def test_a_witness_that_was_not_asked_for_does_not_count() -> None:
    """Two are needed and one is known."""
    trust = Trust((KEY.verifier,), TRUST.witnesses, 2)
    assert WITNESS.verifier in trust.witnesses
    assert fault_of(files_of(ENTRIES), trust=trust).kind == "cosignature"


def test_entries_of_another_log_are_hashed_and_not_looked_into() -> None:
    """So the logs of other programs can be verified, and the report says so."""
    entries = [b"", b"not an entry", *(b"%d" % number for number in range(600))]
    report = report_of(files_of(entries), ours=False)
    assert report.fault is None, str(report.fault)
    assert any("not looked into" in line for line in report.unchecked)
    assert fault_of(files_of(entries)).kind == "entry-format"


def test_a_part_of_a_log_that_has_grown_is_the_beginning_of_the_full_one() -> None:
    """Where a partial bundle or tile is gone and the full one there, its first entries count."""
    files = files_of(ENTRIES)
    before = files_of(ENTRIES[: LOG.manifests[2]])
    before = {name: body for name, body in before.items() if not name.startswith(("tile/0/", "tile/entries/"))}
    report = verify(Verification(Memory(files | before, sealed=False), TRUST))[0]
    assert report.fault is None, str(report.fault)
    assert report.size == LOG.manifests[2]


def test_an_empty_log_verifies() -> None:
    """Its root is the hash of nothing."""
    assert report_of(files_of([])).fault is None
    assert fault_of({"checkpoint": signed(0, leaf_hash(b""))}).kind == "root"
