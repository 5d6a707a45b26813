"""Hashing by compiled loops and by hashlib: whatever is given, both say the same, and neither reads beyond it."""

import subprocess
import sys
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.compliance.log import hashing
from services.compliance.log.bundle import join_entries
from services.compliance.log.hashing import Hashing, compiled, plain
from services.compliance.log.hashing.compiled import Loops, NotCompiled
from tests.source import ROOT
from tests.unit.compliance.log import hostile_bundles
from tests.unit.compliance.log.hostile_bundles import TIME

BOTH: list[Hashing] = [plain, Loops()]
WAYS = pytest.mark.parametrize("way", BOTH, ids=["hashlib", "loops"])


def entry_of(site: str, number: int, event: bytes) -> bytes:
    """An entry with a sound header."""
    return f"{site} {number} {TIME}\n".encode() + event


def test_the_loops_are_compiled_and_used() -> None:
    """Where tests run they are there; `make .loops` compiles them."""
    assert isinstance(hashing.hashing, Loops)


@WAYS
@given(st.lists(st.binary(max_size=300), max_size=600))
@example([b""])
@example([bytes(70_000)] * 257)
def test_leaves_are_hashed_as_rfc_6962_says(way: Hashing, entries: list[bytes]) -> None:
    """§2.1: SHA-256 over a zero byte and the entry."""
    assert way.leaf_hashes(entries) == b"".join([sha256(b"\x00" + entry).digest() for entry in entries])


@given(st.integers(0, 600), st.integers())
def test_both_fold_to_the_same_root(count: int, seed: int) -> None:
    """What `fold` means is held against RFC 6962's definition in test_tree.py."""
    hashes = Random(seed).randbytes(32 * count)
    assert BOTH[0].fold(hashes) == BOTH[1].fold(hashes)


@WAYS
def test_a_bundle_is_taken_apart(way: Hashing) -> None:
    entries = [entry_of("north", 7, b'{"a":1}'), entry_of("south-2", 0, b"{}"), entry_of("north", 10**18 - 1, b"{\0}")]
    opened = way.open_bundle(join_entries(entries), 3)
    assert opened is not None
    assert opened.hashes == way.leaf_hashes(entries)
    assert opened.sites == b"north\nsouth-2\nnorth\n"
    assert opened.numbers == [7, 0, 10**18 - 1]
    assert opened.times.decode() == TIME * 3
    assert opened.events == b'{"a":1}\n{}\n{\0}\n'
    assert opened.ends == list(accumulate(2 + len(entry) for entry in entries))


@WAYS
@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"north 1 " + TIME.encode(),
        entry_of("", 1, b"{}"),
        entry_of("north ", 1, b"{}"),
        entry_of("north", -1, b"{}"),
        entry_of("north", 10**18, b"{}"),
        f"north 01 {TIME}\n{{}}".encode(),
        f"north  {TIME}\n{{}}".encode(),
        f"north 1 {TIME}0\n{{}}".encode(),
        f"north 1 {TIME[1:]}\n{{}}".encode(),
        f"north 1\n{TIME}\n{{}}".encode(),
        f"north\n 1 {TIME}\n{{}}".encode(),
        entry_of("n" * 200, 1, b"{}"),
        entry_of("north", 1, b""),
        entry_of("north", 1, b"{"),
        entry_of("north", 1, b"[]"),
        entry_of("north", 1, b" {}"),
        entry_of("north", 1, b"{} "),
        entry_of("north", 1, b'{"a":\n1}'),
    ],
)
def test_what_is_written_otherwise_is_left_to_the_exact_parser(way: Hashing, entry: bytes) -> None:
    sound = entry_of("north", 2, b"{}")
    for entries in ([entry], [sound, entry], [entry, sound]):
        body = b"".join([len(one).to_bytes(2) + one for one in entries])
        assert way.open_bundle(body, len(entries)) is None


PARTS_OF_JSON = st.lists(
    st.sampled_from(["{", "}", "[", "]", '"', ":", ",", "\\", "a", "1", " ", '"a":{}', "}{", "{}"])
)


@given(st.lists(PARTS_OF_JSON.map("".join), min_size=1, max_size=4))
@example(["}{", '"a":{}', ""])
@example(['"a":[{', "}]"])
@example(['"a":"', '"'])
def test_as_many_objects_as_lines_are_one_in_each(texts: list[str]) -> None:
    """So all events of a bundle may be decoded at once: what `Opened` says of lines that end in braces."""
    lines = [f"{{{text}}}".encode() for text in texts]
    try:
        at_once = msgspec.json.Decoder().decode_lines(b"\n".join(lines))
    except msgspec.DecodeError:
        return
    if len(at_once) == len(lines):
        assert at_once == [msgspec.json.decode(line) for line in lines]


@WAYS
def test_a_bundle_of_another_width_is_refused(way: Hashing) -> None:
    body = join_entries([entry_of("north", number, b"{}") for number in range(5)])
    assert way.open_bundle(body, 5)
    assert not any(way.open_bundle(body, width) for width in (0, 1, 4, 6, 256))
    assert not any(way.open_bundle(body[:cut], 5) for cut in range(len(body)))
    assert way.open_bundle(body + b"\0", 5) is None


def test_both_say_the_same_of_damaged_bundles() -> None:
    seen = [(plain.open_bundle(*bundle), BOTH[1].open_bundle(*bundle)) for bundle in hostile_bundles.some(3_000)]
    assert [one for one, other in seen if one != other] == []
    assert 0 < sum(one is None for one, _ in seen) < len(seen)


def test_the_loops_touch_no_byte_that_is_not_theirs(tmp_path: Path) -> None:
    """The same bundles, with the compiler's own watchers over each address and each operation without a meaning."""
    library, source = tmp_path / "loops.so", compiled.LIBRARY.with_suffix(".c")
    watched = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["gcc", "-O1", "-g", *watched, "-shared", "-fPIC", "-o", library, source], check=True)
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    done = subprocess.run(
        [sys.executable, "-m", hostile_bundles.__name__, str(library), "2000"],
        cwd=ROOT,
        env={"LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "2000 bundles\n"), done.stderr[-4000:]


def test_without_a_library_hashlib_does_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where the file is none, or Python has no OpenSSL of its own."""
    (tmp_path / "loops.so").write_bytes(b"not a library")
    for path in (tmp_path / "none.so", tmp_path / "loops.so"):
        with pytest.raises(NotCompiled):
            Loops(path)
    monkeypatch.setattr(compiled, "SHA256", ("SHA256_Init", "SHA256_Update", "SHA256_of_another_library"))
    with pytest.raises(NotCompiled):
        Loops()
    assert hashing.best() is plain


def test_a_library_that_hashes_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One of another version, say, in which nodes begin as leaves do."""
    source = compiled.LIBRARY.with_suffix(".c").read_text()
    (tmp_path / "loops.c").write_text(source.replace("NODE = 1", "NODE = 0"))
    other = tmp_path / "loops.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", other, tmp_path / "loops.c"], check=True)
    assert Loops(other).fold(bytes(64)) != plain.fold(bytes(64))
    monkeypatch.setattr(hashing, "Loops", lambda: Loops(other))
    assert hashing.best() is plain
