"""Proof files and submissions: what one writes the other reads, and nothing that breaks a rule is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.checkpoints.checkpoint import NotACheckpoint
from services.compliance.checkpoints.cosignature import CosignatureKey, cosign
from services.compliance.checkpoints.note import NotANote, Untrusted, build_note, parse_note_unverified
from services.compliance.checkpoints.proof_file import (
    MAX_PROOF,
    NotAProofFile,
    ProofFile,
    build_proof_file,
    parse_proof_file_unverified,
    verify_proof_file,
)
from services.compliance.checkpoints.submission import (
    NotASubmission,
    Submission,
    build_submission,
    parse_submission,
)
from services.compliance.log.proofs import NotProved
from tests.small_log import SmallLog, key_of

LOG = SmallLog()
KEYS = [LOG.keys[0].verifier]
SPECIFIED = """\
c2sp.org/tlog-proof@v1
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=
"""
"""Lines of the example in c2sp.org/tlog-proof, which leaves out signatures."""

REQUEST = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAY\
Q8=
"""
"""Of the example in c2sp.org/tlog-witness."""


def proof_of(index: int, size: int, *, extra: bytes | None = None, log: SmallLog = LOG) -> bytes:
    """The proof file of one entry."""
    return build_proof_file(ProofFile(index, tuple(log.inclusion(index, size)), log.note(size), extra))


def test_specified_proof_is_read() -> None:
    file = parse_proof_file_unverified(SPECIFIED.encode())
    assert (file.index, len(file.proof), file.extra) == (73894, 2, None)
    assert build_proof_file(file) == SPECIFIED.encode()


def test_every_entry_of_every_small_log_is_proved() -> None:
    for size in range(1, 18):
        for index in range(size):
            signed = verify_proof_file(proof_of(index, size), LOG.leaf(index), KEYS)
            assert (signed.checkpoint.origin, signed.size) == (LOG.origin, size)


def test_extra_data_is_kept() -> None:
    assert parse_proof_file_unverified(proof_of(3, 7, extra=b"event 3")).extra == b"event 3"
    assert parse_proof_file_unverified(proof_of(3, 7, extra=b"")).extra == b""


def test_another_entry_is_not_proved() -> None:
    with pytest.raises(NotProved):
        verify_proof_file(proof_of(3, 7), LOG.leaf(4), KEYS)
    with pytest.raises(NotProved):
        verify_proof_file(proof_of(3, 7).replace(b"index 3", b"index 7"), LOG.leaf(3), KEYS)


def test_proof_without_trusted_checkpoint_is_nothing() -> None:
    """A forger's own log proves whatever he likes, under a key that nobody trusts."""
    forged = SmallLog(forged_from=0, keys=[key_of(LOG.origin, number=1)])
    with pytest.raises(Untrusted):
        verify_proof_file(proof_of(3, 7, log=forged), forged.leaf(3), KEYS)
    other = SmallLog("elsewhere.example/log")
    with pytest.raises(Untrusted):
        verify_proof_file(proof_of(3, 7, log=other), other.leaf(3), KEYS)


def test_quorum_of_witnesses_is_asked_for() -> None:
    witness = key_of("north.example/witness", CosignatureKey)
    text = str(LOG.checkpoint(7))
    note = build_note(text, [*parse_note_unverified(LOG.note(7)).signatures, cosign(witness, text, 1_900_000_000)])
    raw = build_proof_file(ProofFile(3, tuple(LOG.inclusion(3, 7)), note))
    public = witness.verifier
    assert isinstance(public, CosignatureKey)
    assert verify_proof_file(raw, LOG.leaf(3), KEYS, [public], 1).note.signed_by(public)
    with pytest.raises(Untrusted, match="0 of the 1"):
        verify_proof_file(proof_of(3, 7), LOG.leaf(3), KEYS, [public], 1)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        SPECIFIED.replace("@v1", "@v2"),
        SPECIFIED.replace("\n", "\r\n"),
        f" {SPECIFIED}",
        SPECIFIED.replace("index 73894\n", ""),
        SPECIFIED.replace("73894", "073894"),
        SPECIFIED.replace("73894", "-1"),
        SPECIFIED.replace("index 73894", "index  73894"),
        SPECIFIED.replace("index 73894", "extra !\nindex 73894"),
        SPECIFIED.replace("index 73894", "extra YQ==\nextra YQ==\nindex 73894"),
        SPECIFIED.replace("index 73894", "index 73894\nextra YQ=="),
        SPECIFIED.replace("gSKyXo", "gSKyX"),
        SPECIFIED.replace("\n\n", "\n"),
        SPECIFIED.replace("\n\n", "\n" + "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n" * MAX_PROOF + "\n"),
    ],
)
def test_other_forms_are_refused(raw: str) -> None:
    with pytest.raises(NotAProofFile):
        parse_proof_file_unverified(raw.encode())


@given(st.binary() | st.text().map(lambda text: f"c2sp.org/tlog-proof@v1\n{text}".encode()))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        file = parse_proof_file_unverified(raw)
    except NotAProofFile:
        return
    assert build_proof_file(file) == raw


WHOLE = proof_of(5, 13, extra=b"an event")


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(position: int, change: int) -> None:
    """But for the extra data, which nobody signs."""
    raw = bytearray(WHOLE)
    raw[position] ^= change
    line = bytes(raw).split(b"\n")[1]
    try:
        verify_proof_file(bytes(raw), LOG.leaf(5), KEYS)
    except (NotAProofFile, NotANote, NotACheckpoint, NotProved, Untrusted):
        return
    assert line != WHOLE.split(b"\n")[1]


def test_specified_request_is_read() -> None:
    submission = parse_submission(REQUEST.encode())
    assert (submission.old_size, len(submission.proof)) == (20852014, 4)
    assert build_submission(submission.old_size, submission.proof, submission.note) == REQUEST.encode()


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "old 1",
        "old 1\n",
        "old 1\n\r\n",
        REQUEST.replace("old ", ""),
        REQUEST.replace("old ", "Old "),
        REQUEST.replace("old ", "old  "),
        REQUEST.replace("20852014", "020852014"),
        REQUEST.replace("20852014", "-1"),
        REQUEST.replace("20852014", "9223372036854775808"),
        REQUEST.replace("PlRN", "PlR"),
        "old 1\n" + "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n" * 64 + "\n",
        "old 1\nÿ\n\n",
    ],
)
def test_other_requests_are_refused(raw: str) -> None:
    with pytest.raises(NotASubmission):
        parse_submission(raw.encode())


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple), st.binary())
def test_requests_read_as_they_were_written(old_size: int, proof: tuple[bytes, ...], note: bytes) -> None:
    assert parse_submission(build_submission(old_size, proof, note)) == Submission(old_size, proof, note)


@given(st.binary() | st.text().map(lambda text: f"old {text}".encode()))
def test_any_request_is_read_or_refused(raw: bytes) -> None:
    try:
        submission = parse_submission(raw)
    except NotASubmission:
        return
    assert build_submission(submission.old_size, submission.proof, submission.note) == raw
