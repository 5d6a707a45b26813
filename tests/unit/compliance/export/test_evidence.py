"""Packages of evidence: what a whole one shows, and that no part of it can be changed, left out or put in."""

import io
import json
import random
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from services.compliance.checkpoints.cosignature import CosignatureKey
from services.compliance.checkpoints.note import SignerKey
from services.compliance.export.evidence import Claim, Evidence, cover
from services.compliance.export.package import LOG, MEMBERS, SITE, Refuted, log_lines, pack, verify_evidence
from tests.unit.compliance.export.sealed_log import KEY, ORIGIN, WITNESS, SealedLog, minute

SITES = ("north", "south", "group")


def sealed_log(entries: int = 60, seed: int = 1) -> SealedLog:
    """A log of three sites in which a checkpoint follows every now and then, and at the end."""
    chance = random.Random(seed)
    log = SealedLog()
    log.append("north", minute(0))
    log.append("south", minute(0))
    for number in range(1, entries):
        if number % 17 == 0:
            log.seal(minute(number))
        log.append(chance.choice(SITES), minute(number))
    log.seal(minute(entries))
    return log


def verify(path: Path, raw: bytes, quorum: int = 0, key: SignerKey = KEY) -> Evidence | Refuted:
    """What the verifier says of these bytes, with the log's key and that of its witness."""
    path.write_bytes(raw)
    return verify_evidence(
        path, [key.verifier], [CosignatureKey.parse(str(WITNESS.verifier))] if quorum else [], quorum
    )


def members(raw: bytes) -> dict[str, bytes]:
    """The files of a package."""
    with ZipFile(io.BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: dict[str, bytes]) -> bytes:
    """A package of these files."""
    sink = io.BytesIO()
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return sink.getvalue()


def rewritten(raw: bytes, order: Sequence[int]) -> bytes:
    """The package with the lines of its log in another order."""
    files = members(raw)
    lines = files[LOG].splitlines(keepends=True)
    return packed(files | {LOG: b"".join(lines[number] for number in order)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a package lies while it is verified."""
    return tmp_path / "evidence.zip"


@pytest.mark.parametrize("site_id", SITES)
@pytest.mark.parametrize(("start", "end"), [(0, 60), (10, 30), (0, 5), (55, 1000), (-100, 1000), (20, 20.5), (60, 61)])
async def test_a_whole_package_shows_all_of_its_period(path: Path, site_id: str, start: float, end: float) -> None:
    """Every entry of the site in the period and no other counts, however much lies before and behind it."""
    log = sealed_log()
    claim = Claim(site_id, minute(0) + (minute(1) - minute(0)) * start, minute(0) + (minute(1) - minute(0)) * end)
    found = verify(path, await log.package(claim))
    if start >= 60:
        assert found == Refuted("format.json: the log was signed before the period began")
        return
    assert isinstance(found, Evidence), found
    own = [raw for raw in log.entries if raw.startswith(f"{site_id} ".encode())]
    stamps = [raw.split(b"\n")[0].split()[2].decode() for raw in own]
    within = [n for n, s in enumerate(stamps) if claim.start.isoformat() <= s.replace("Z", "+00:00") < _text(claim)]
    assert found.entries == len(within)
    assert (found.first_sequence, found.last_sequence) == ((within[0], within[-1]) if within else (None, None))
    assert found.complete_until == min(claim.end, minute(60))
    assert (found.origin, found.size, found.signers) == (ORIGIN, len(log.entries), (ORIGIN,))


def _text(claim: Claim) -> str:
    return claim.end.isoformat(timespec="microseconds")


@pytest.mark.parametrize("size", [*range(3, 70), 255, 256, 257, 300, 515])
async def test_packages_of_logs_of_every_size_are_verified(path: Path, size: int) -> None:
    """Whatever the tree looks like."""
    log = sealed_log(size)
    found = verify(path, await log.package(Claim("north", minute(size // 4), minute(size // 2))))
    assert isinstance(found, Evidence), found


async def test_the_start_of_a_log_needs_no_entry_before(path: Path) -> None:
    """The site's number 0 is its first."""
    log = sealed_log()
    found = verify(path, await log.package(Claim("south", minute(-5), minute(9))))
    assert isinstance(found, Evidence)
    assert found.first_sequence == 0


async def test_no_hash_is_there_twice_and_none_is_needless() -> None:
    """Between two entries lie at most two subtrees of each size, and one run of entries needs one proof's hashes."""
    log = sealed_log(400)
    lines = members(await log.package(Claim("north", minute(100), minute(300))))[LOG].decode().splitlines()
    hashes = [json.loads(line)["hash"] for line in lines if "hash" in json.loads(line)]
    assert len(hashes) == len(set(hashes))
    everything = [n for n in range(len(log.entries)) if 100 <= n < 300]
    run = members(await log.package(Claim("north", minute(100), minute(300)), [*everything, len(log.entries) - 1]))
    assert sum("hash" in json.loads(line) for line in run[LOG].decode().splitlines()) < 20


@pytest.mark.parametrize("start", range(0, 40))
def test_a_gap_is_covered_by_whole_subtrees_without_overlap(start: int) -> None:
    """Each begins at a multiple of its width, where the one before has ended."""
    for end in range(start, 70):
        at = start
        for subtree in cover(start, end):
            assert subtree.number << subtree.level == at
            at += 1 << subtree.level
        assert at == end


async def test_every_changed_byte_of_what_is_proved_is_found(path: Path) -> None:
    """In each of the files but README.txt and keys.txt, which prove nothing and say so."""
    log = sealed_log(30)
    files = members(await log.package(Claim("north", minute(5), minute(20))))
    whole = verify(path, packed(files))
    assert isinstance(whole, Evidence), whole
    for name in set(MEMBERS) - {"README.txt", "keys.txt"}:
        body = files[name]
        for at in range(0, len(body), 1 if len(body) < 2000 else 3):
            changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            found = verify(path, packed(files | {name: changed}))
            # Another second of the same gap in the period is another claim, and no less true; and whoever changes
            # a cosignature, which this verifier was not told to want, takes nothing away from the log's signature.
            if isinstance(found, Evidence):
                assert name in {"format.json", "checkpoint"}, (name, at)
                assert found == replace(whole, claim=found.claim, complete_until=found.complete_until)


async def test_no_line_can_be_left_out_doubled_or_moved(path: Path) -> None:
    """Every line of the log stands where it must."""
    raw = await sealed_log(40).package(Claim("north", minute(8), minute(30)))
    count = len(members(raw)[LOG].splitlines())
    for at in range(count):
        before, behind = list(range(at)), list(range(at + 1, count))
        orders = [[*before, *behind], [*before, at, at, *behind]]
        if before:
            orders.append([*before[:-1], at, before[-1], *behind])
        for order in orders:
            assert isinstance(verify(path, rewritten(raw, order)), Refuted)


async def test_no_entry_can_be_hidden_behind_a_hash(path: Path) -> None:
    """The exporter who leaves an entry out, and puts the right hashes in its place, is found: be it the first or last
    of the period, the one before it, the one after it, or any between."""
    log = sealed_log()
    for site_id in SITES:
        claim = Claim(site_id, minute(10), minute(40))
        kept = log.select(claim)
        assert isinstance(verify(path, await log.package(claim, kept)), Evidence)
        for hidden in kept:
            found = verify(path, await log.package(claim, [*(i for i in kept if i != hidden)]))
            assert isinstance(found, Refuted), (site_id, hidden)


async def test_whole_ends_cannot_be_hidden_either(path: Path) -> None:
    """Nor any number of entries at the period's beginning or end, with or without what bounds it."""
    log = sealed_log()
    claim = Claim("north", minute(10), minute(1000))
    *kept, manifest = log.select(claim)
    for cut in range(1, len(kept)):
        assert isinstance(verify(path, await log.package(claim, [*kept[:-cut], manifest])), Refuted)
        assert isinstance(verify(path, await log.package(claim, [*kept[cut:], manifest])), Refuted)


async def test_an_entry_of_another_site_is_refused(path: Path) -> None:
    """Nobody gets to see through a package what is not his."""
    log = sealed_log()
    claim = Claim("north", minute(10), minute(40))
    foreign = next(i for i, raw in enumerate(log.entries) if raw.startswith(b"south"))
    found = verify(path, await log.package(claim, sorted({*log.select(claim), foreign})))
    assert found == Refuted(f"entry {foreign}: is of the site south")


async def test_an_older_head_of_the_site_is_refused(path: Path) -> None:
    """Who hides the newest entries can't say that the site had fewer."""
    log = sealed_log()
    claim = Claim("north", minute(10), minute(1000))
    files = members(await log.package(claim))
    told = json.loads(files[SITE]) | {"head": log.heads["north"] - 1}
    found = verify(path, packed(files | {SITE: json.dumps(told, indent=1).encode() + b"\n"}))
    assert isinstance(found, Refuted)
    assert found.detail.startswith("head.json: the manifest does not say that north has")


async def test_a_period_claimed_longer_than_what_is_there_is_refused(path: Path) -> None:
    """Nor one that would leave out entries that are there."""
    log = sealed_log()
    files = members(await log.package(Claim("north", minute(20), minute(30))))
    for start, end in ((5, 30), (20, 50), (26, 30), (20, 24)):
        other = members(await log.package(Claim("north", minute(start), minute(end))))
        assert isinstance(verify(path, packed(files | {"format.json": other["format.json"]})), Refuted)


async def test_a_log_that_is_signed_up_to_the_middle_of_the_period_says_so(path: Path) -> None:
    """What came after the checkpoint is not claimed."""
    found = verify(path, await sealed_log(60).package(Claim("north", minute(30), minute(90))))
    assert isinstance(found, Evidence)
    assert found.complete_until == minute(60)


async def test_only_trusted_keys_count(path: Path) -> None:
    """The key in the package is information; a foreign log's package, however right, is refused."""
    raw = await sealed_log().package(Claim("north", minute(10), minute(40)))
    foreign = SignerKey.from_seed(ORIGIN, b"f" * 32)
    assert isinstance(verify(path, raw, key=foreign), Refuted)
    assert isinstance(verify(path, raw), Evidence)
    assert isinstance(verify_evidence(path, []), Refuted)


async def test_as_many_witnesses_as_asked_must_have_cosigned(path: Path) -> None:
    """And the evidence names them."""
    raw = await sealed_log().package(Claim("north", minute(10), minute(40)))
    found = verify(path, raw, quorum=1)
    assert isinstance(found, Evidence)
    assert set(found.signers) == {ORIGIN, WITNESS.verifier.name}
    assert isinstance(verify(path, raw, quorum=2), Refuted)


async def test_a_package_cut_anywhere_is_refused(path: Path) -> None:
    """An export that broke off can't be taken for a whole one."""
    raw = await sealed_log(20).package(Claim("north", minute(5), minute(15)))
    for length in range(0, len(raw), 7):
        assert isinstance(verify(path, raw[:length]), Refuted)


async def test_damage_anywhere_in_the_file_is_refused_or_changes_nothing(path: Path) -> None:
    """Bytes changed, taken out and put in at random: no answer but one of the two, and never another evidence."""
    chance = random.Random(14)
    raw = await sealed_log(20).package(Claim("north", minute(5), minute(15)))
    whole = verify(path, raw)
    for _ in range(1500):
        at, width = chance.randrange(len(raw)), chance.randrange(4)
        found = verify(path, raw[:at] + chance.randbytes(chance.randrange(4)) + raw[at + width :])
        assert isinstance(found, Refuted) or found == whole


async def test_files_that_do_not_belong_are_refused(path: Path) -> None:
    """Nothing unproved may lie beside what is proved, nor a second file of the same name."""
    files = members(await sealed_log(20).package(Claim("north", minute(5), minute(15))))
    assert isinstance(verify(path, packed(files | {"summary.pdf": b"all is well"})), Refuted)
    assert isinstance(verify(path, packed({name: body for name, body in files.items() if name != SITE})), Refuted)
    sink = io.BytesIO(packed(files))
    with ZipFile(sink, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(LOG, files[LOG])
    assert isinstance(verify(path, sink.getvalue()), Refuted)


async def test_an_endless_line_is_refused_before_it_fills_memory(path: Path) -> None:
    """A zip file can hold a thousand times its size."""
    files = members(await sealed_log(20).package(Claim("north", minute(5), minute(15))))
    assert isinstance(verify(path, packed(files | {LOG: b" " * (1 << 22)})), Refuted)
    assert isinstance(verify(path, packed(files | {"checkpoint": b" " * (1 << 22)})), Refuted)


async def test_an_entry_that_goes_back_in_time_is_refused(path: Path) -> None:
    """Times never fall from entry to entry; the bounds of the period stand on that."""
    log = sealed_log(30)
    log.append("north", minute(32))
    log.append("north", minute(31))
    log.seal(minute(33))
    found = verify(path, await log.package(Claim("north", minute(20), minute(40))))
    assert isinstance(found, Refuted)
    assert "was recorded before the entry that precedes it" in found.detail


async def _peaks(entries: int, path: Path) -> tuple[int, int]:
    """The most memory that writing and reading a package of that many entries take beside the log itself."""
    log = SealedLog()
    for number in range(entries):
        log.append("north", minute(number), b'{"data":"%064d"}' % number)
    log.seal(minute(entries))
    sealed = log.sealed(Claim("north", minute(0), minute(entries)))
    tracemalloc.start()
    try:
        with path.open("wb") as file:
            async for piece in pack(sealed, log_lines(entries + 1, log.pages(range(entries + 1), 256), log.read)):
                file.write(piece)
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert isinstance(verify_evidence(path, [KEY.verifier]), Evidence)
        return written, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_memory_does_not_grow_with_the_package(path: Path) -> None:
    """Neither who writes nor who reads holds more of a tenfold package."""
    few, many = await _peaks(1_000, path), await _peaks(10_000, path)
    assert many[0] < few[0] + 200_000
    assert many[1] < few[1] + 200_000
