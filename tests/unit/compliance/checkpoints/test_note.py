"""Signed notes: what other implementations signed is accepted, and what breaks a rule is refused and says which."""

from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.checkpoints.cosignature import CosignatureKey
from services.compliance.checkpoints.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    NotAKey,
    NotANote,
    Signature,
    SignerKey,
    Untrusted,
    VerifierKey,
    build_note,
    is_key_name,
    open_note,
    parse_note_unverified,
)
from tests.small_log import key_of, sign

SPECIFIED_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPECIFIED_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjO"
    "BH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
"""The example of c2sp.org/signed-note."""

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
BY_PETER = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
BY_ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
"""The keys and signatures in the tests of Go's golang.org/x/mod/sumdb/note."""


def key(text: str) -> VerifierKey:
    """A log's public key."""
    return VerifierKey.parse(text)


def test_specified_note_is_trusted() -> None:
    note = open_note(SPECIFIED_NOTE.encode(), [key(SPECIFIED_KEY)])
    assert note.text == "This is an example message.\n"
    assert note.trusted == note.signatures


def test_signs_what_go_signs() -> None:
    """Ed25519 leaves no choice, so the bytes must be the same."""
    peter = SignerKey.parse(PETER_SECRET)
    assert str(peter.verifier) == PETER
    assert peter.reveal() == PETER_SECRET
    assert sign(TEXT, peter) == f"{TEXT}\n{BY_PETER}".encode()


def test_unknown_signatures_are_ignored() -> None:
    note = open_note(f"{TEXT}\n{BY_PETER}{BY_ENOCH}".encode(), [key(PETER)])
    assert [s.name for s in note.trusted] == ["PeterNeumann"]
    assert [s.name for s in note.signatures] == ["PeterNeumann", "EnochRoot"]


def test_both_known_signatures_are_verified() -> None:
    note = open_note(f"{TEXT}\n{BY_PETER}{BY_ENOCH}".encode(), [key(PETER), key(ENOCH)])
    assert note.trusted == note.signatures


def test_repeated_signatures_count_once() -> None:
    note = open_note(f"{TEXT}\n{BY_PETER * 3}{BY_ENOCH * 2}".encode(), [key(PETER)])
    assert len(note.trusted) == 1
    assert len(note.signatures) == 2


def test_without_a_trusted_signature_nothing_is_read() -> None:
    with pytest.raises(Untrusted, match=r"EnochRoot\+af0cfe78 signed it, and none of the trusted keys"):
        open_note(f"{TEXT}\n{BY_ENOCH}".encode(), [key(PETER)])
    with pytest.raises(Untrusted):
        open_note(f"{TEXT}\n{BY_ENOCH}".encode(), [])


@pytest.mark.parametrize("changed", [TEXT.replace("answer", "Answer"), TEXT + "\n", TEXT + "more\n"])
def test_changed_text_is_not_trusted(changed: str) -> None:
    with pytest.raises(Untrusted, match="is wrong"):
        open_note(f"{changed}\n{BY_PETER}".encode(), [key(PETER)])


def test_wrong_signature_of_a_trusted_key_spoils_the_note() -> None:
    """Even beside a right one, of another key or of the same."""
    own = key_of("third")
    right = sign(TEXT, own).decode()
    damaged = Signature("PeterNeumann", key(PETER).key_id, bytes(64))
    for note in (f"{right}{damaged}", f"{TEXT}\n{BY_PETER}{damaged}"):
        with pytest.raises(Untrusted, match="is wrong"):
            open_note(note.encode(), [own.verifier, key(PETER)])


def test_same_name_or_same_id_is_not_the_key() -> None:
    """A signature line counts for a key by its name and its id together."""
    for stranger in (BY_PETER.replace("PeterNeumann", "Peter"), BY_PETER.replace("x08g", "xxxx")):
        with pytest.raises(Untrusted, match="none of the trusted keys"):
            open_note(f"{TEXT}\n{stranger}".encode(), [key(PETER)])


MALFORMED = {
    "no signature": TEXT,
    "an empty block": f"{TEXT}\n",
    "the last line feed missing": f"{TEXT}\n{BY_PETER[:-1]}",
    "a control character": f"\x01{TEXT}\n{BY_PETER}",
    "a carriage return": f"{TEXT}\n{BY_PETER}".replace("\n", "\r\n"),
    "a tab": f"a\tb\n\n{BY_PETER}",
    "a line that is no signature": f"{TEXT}\n{BY_PETER}Unexpected line.\n",
    "a name with a space": f"{TEXT}\n" + BY_PETER.replace("PeterNeumann", "Peter Neumann"),
    "a name with a no-break space": f"{TEXT}\n" + BY_PETER.replace("PeterNeumann", "Peter\u00a0Neumann"),
    "a name with a plus": f"{TEXT}\n" + BY_PETER.replace("PeterNeumann", "Peter+Neumann"),
    "no name": f"{TEXT}\n" + BY_PETER.replace("PeterNeumann", ""),
    "a hyphen for the dash": f"{TEXT}\n" + BY_PETER.replace("—", "-"),
    "a dash without a space": f"{TEXT}\n" + BY_PETER.replace("— ", "—"),
    "no Base64": f"{TEXT}\n— PeterNeumann x08!\n",
    "no padding": f"{TEXT}\n" + BY_PETER.replace("=", ""),
    "other bits in the padding": f"{TEXT}\n" + BY_PETER.replace("AM=", "AN="),
    "an id and no signature": f"{TEXT}\n— PeterNeumann {b64encode(bytes(4)).decode()}\n",
    "too many signatures": f"{TEXT}\n{BY_PETER * (MAX_SIGNATURES + 1)}",
    "too many bytes": f"{'x' * MAX_NOTE_BYTES}\n\n{BY_PETER}",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_notes_are_refused(what: str) -> None:
    with pytest.raises(NotANote):
        open_note(MALFORMED[what].encode(), [key(PETER)])


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80"], ids=["stray", "overlong", "surrogate"])
def test_what_is_not_utf8_is_refused(bad: bytes) -> None:
    with pytest.raises(NotANote, match="UTF-8"):
        open_note(bad + f"{TEXT}\n{BY_PETER}".encode(), [key(PETER)])


def test_sixteen_signatures_of_5_kb_are_read() -> None:
    """Every reader must take that many, of post-quantum keys too."""
    long = "".join(str(Signature(f"pq{n}", bytes(4), bytes([n]) * 4950)) for n in range(15))
    note = open_note(f"{TEXT}\n{long}{BY_PETER}".encode(), [key(PETER)])
    assert len(note.signatures) == 16


def test_stranger_may_have_any_name() -> None:
    """However long: what is unknown is ignored. A key that we trust has at most 255 bytes of name."""
    stranger = Signature("s" * 3000, bytes(4), bytes(64))
    assert len(open_note(f"{TEXT}\n{stranger}{BY_PETER}".encode(), [key(PETER)]).trusted) == 1
    with pytest.raises(NotAKey, match="1 to 255 bytes"):
        VerifierKey("é" * 128, bytes(32))


def test_text_may_hold_empty_lines_and_earlier_notes() -> None:
    """The signatures stand after the last empty line only, so a signed note can be signed again."""
    own = key_of("outer")
    inner = f"{TEXT}\n{BY_PETER}"
    note = open_note(sign(inner, own), [own.verifier])
    assert note.text == inner
    with pytest.raises(Untrusted):
        open_note(sign(inner, own), [key(PETER)])


def test_note_that_would_read_otherwise_is_not_built() -> None:
    signature = Signature("name", bytes(4), bytes(64))
    for text, signatures in (("no line feed", [signature]), (TEXT, []), ("a\x00b\n", [signature])):
        with pytest.raises(NotANote):
            build_note(text, signatures)


def test_two_keys_of_one_name_and_id_are_refused() -> None:
    """Such a pair is a mistake or an attack; which of them signed could not be said."""

    class Twin(VerifierKey):
        @property
        def key_id(self) -> bytes:
            return bytes(4)

    with pytest.raises(NotAKey, match="two different trusted keys"):
        open_note(f"{TEXT}\n{BY_PETER}".encode(), [Twin("a", bytes(32)), Twin("a", bytes([1] * 32))])


def test_mangled_keys_are_refused() -> None:
    """Every part of a key's text, and every text that differs from it in one character."""
    parts = [PETER[i:j] for i in range(len(PETER)) for j in range(i + 1, len(PETER) + 1) if (i, j) != (0, len(PETER))]
    changed = [PETER[:i] + chr(ord(PETER[i]) + 1) + PETER[i + 1 :] for i in range(len(PETER))]
    for text in (*parts, *changed, "", f"{PETER}\n", PETER.replace("c74f20a3", "C74F20A3")):
        with pytest.raises(NotAKey):
            VerifierKey.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
    ids=["too long", "unknown type"],
)
def test_keys_of_other_kinds_are_refused(text: str) -> None:
    """Also with the id that would be theirs."""
    with pytest.raises(NotAKey):
        VerifierKey.parse(text)


def test_mangled_private_keys_are_refused_and_not_shown() -> None:
    secret = PETER_SECRET.rpartition("+")[2]
    for i in range(len(PETER_SECRET)):
        changed = PETER_SECRET[:i] + chr(ord(PETER_SECRET[i]) + 1) + PETER_SECRET[i + 1 :]
        for text in (changed, PETER_SECRET[:i], PETER_SECRET[i + 1 :]):
            with pytest.raises(NotAKey) as told:
                SignerKey.parse(text)
            assert not any(secret[n : n + 12] in str(told.value) for n in range(len(secret) - 12))


def test_private_key_does_not_show_itself() -> None:
    peter = SignerKey.parse(PETER_SECRET)
    assert repr(peter.seed) not in repr(peter)


def test_a_witness_key_is_not_taken_for_a_logs() -> None:
    witness = key_of("witness", CosignatureKey)
    with pytest.raises(NotAKey, match="needed is a log's key"):
        VerifierKey.parse(str(witness.verifier))
    with pytest.raises(NotAKey, match="needed is a witness's key"):
        SignerKey.parse(PETER_SECRET, CosignatureKey)


names = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="+"), max_size=60
).filter(is_key_name)
seeds = st.binary(min_size=32, max_size=32)


@given(names, seeds)
def test_keys_read_as_they_were_written(name: str, seed: bytes) -> None:
    secret = SignerKey.from_seed(name, seed)
    assert SignerKey.parse(secret.reveal()) == secret
    assert VerifierKey.parse(str(secret.verifier)) == secret.verifier


texts = st.text(st.characters(codec="utf-8", min_codepoint=32) | st.just("\n")).map(lambda text: text + "\n")


@given(
    texts, st.lists(st.builds(Signature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1)), min_size=1)
)
def test_notes_have_one_form(text: str, signatures: list[Signature]) -> None:
    note = build_note(text, signatures)
    read = parse_note_unverified(note)
    assert (read.text, list(read.signatures)) == (text, list(dict.fromkeys(signatures)))
    assert build_note(read.text, read.signatures) == note


@given(st.binary() | st.text().map(str.encode) | texts.map(lambda text: f"{text}\n{BY_PETER}".encode()))
def test_no_bytes_are_trusted_that_were_not_signed(raw: bytes) -> None:
    """And nothing else than a refusal comes of them."""
    with pytest.raises((NotANote, Untrusted)):
        open_note(raw, [key(PETER)])


@given(st.integers(0, len(SPECIFIED_NOTE.encode()) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(position: int, change: int) -> None:
    raw = bytearray(SPECIFIED_NOTE.encode())
    raw[position] ^= change
    with pytest.raises((NotANote, Untrusted)):
        open_note(bytes(raw), [key(SPECIFIED_KEY)])


def test_key_ids_are_as_specified() -> None:
    peter = key(PETER)
    assert peter.key_id == sha256(b"PeterNeumann\n\x01" + peter.public).digest()[:4]
