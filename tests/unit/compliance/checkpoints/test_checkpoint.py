"""Checkpoints and cosignatures: one form only, whatever the specification's authors signed, and whose they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.checkpoints.checkpoint import (
    MAX_SIZE,
    Checkpoint,
    NotACheckpoint,
    open_checkpoint,
    parse_size,
)
from services.compliance.checkpoints.cosignature import CosignatureKey, cosign, cosigned_at, open_cosigned
from services.compliance.checkpoints.note import Signature, Untrusted, VerifierKey, build_note, parse_note_unverified
from tests.small_log import ORIGIN, SmallLog, key_of, sign

ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
SPECIFIED = f"example.com/behind-the-sofa\n20852163\n{ROOT}\n"
SPECIFIED_COSIGNATURE = (
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+"
    "mbIUBkBIfZ+qnA=="
)
"""The examples of c2sp.org/tlog-checkpoint and c2sp.org/tlog-cosignature."""

PUBLIC = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIg\
IpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA2\
3oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v\
7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0t\
gh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxt\
qB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/T\
mN9DAg==
"""
PUBLIC_LOG = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
PUBLIC_WITNESS = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
"""A checkpoint of a public log of certificates, with its key and the key of one of the public witnesses."""

LOG = SmallLog()
WITNESS = key_of("north.example/witness", CosignatureKey)
OTHER = key_of("south.example/witness", CosignatureKey)
NOON = 1_900_000_000


def witness_key(number: int = 0) -> CosignatureKey:
    """The public key of the first or the second witness."""
    found = (WITNESS, OTHER)[number].verifier
    assert isinstance(found, CosignatureKey)
    return found


def cosigned(size: int, *times: int) -> bytes:
    """The log's checkpoint, cosigned by as many witnesses as there are times."""
    text = str(LOG.checkpoint(size))
    ours = parse_note_unverified(LOG.note(size)).signatures
    return build_note(text, [*ours, *(cosign(k, text, t) for k, t in zip((WITNESS, OTHER), times, strict=False))])


def test_specified_checkpoint_is_read_and_written() -> None:
    checkpoint = Checkpoint.parse(SPECIFIED)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert str(checkpoint) == SPECIFIED


def test_specified_cosignature_is_of_its_time() -> None:
    assert cosigned_at(Signature.parse(SPECIFIED_COSIGNATURE)) == 1679315147


def test_public_checkpoint_is_trusted() -> None:
    """Signed by one public log in two ways and cosigned by public witnesses, none of which are ours."""
    log, witness = VerifierKey.parse(PUBLIC_LOG), CosignatureKey.parse(PUBLIC_WITNESS)
    signed = open_cosigned(PUBLIC.encode(), [log], [witness], quorum=1)
    found = signed.note.signed_by(witness)
    assert found is not None
    assert (signed.size, cosigned_at(found)) == (1432088532, 1779573024)
    with pytest.raises(Untrusted):
        open_cosigned(PUBLIC.replace("1432088532", "1432088533").encode(), [log], [witness], quorum=1)


def test_extension_lines_are_kept() -> None:
    checkpoint = Checkpoint.parse(f"{SPECIFIED}one\ntwo\n")
    assert checkpoint.extensions == ("one", "two")
    assert str(checkpoint) == f"{SPECIFIED}one\ntwo\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "origin\n1\n",
        SPECIFIED[:-1],
        f"\n1\n{ROOT}\n",
        f"origin\n\n{ROOT}\n",
        f"origin\n01\n{ROOT}\n",
        f"origin\n+1\n{ROOT}\n",
        f"origin\n-1\n{ROOT}\n",
        f"origin\n 1\n{ROOT}\n",
        f"origin\n1.0\n{ROOT}\n",
        f"origin\n1_0\n{ROOT}\n",
        f"origin\n٣\n{ROOT}\n",
        f"origin\n{MAX_SIZE + 1}\n{ROOT}\n",
        f"origin\n{'9' * 5000}\n{ROOT}\n",
        f"origin\n1\n{ROOT[:-1]}\n",
        f"origin\n1\n{ROOT} \n",
        f"origin\n1\n{ROOT.replace('2I=', '2J=')}\n",
        "origin\n1\nQUJD\n",
        f"{SPECIFIED}\n",
        f"{SPECIFIED}one\n\ntwo\n",
        f"{'x' * 256}\n1\n{ROOT}\n",
        f"{'é' * 128}\n1\n{ROOT}\n",
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(NotACheckpoint):
        Checkpoint.parse(text)


@given(st.text())
def test_what_parses_is_written_the_same(text: str) -> None:
    try:
        checkpoint = Checkpoint.parse(text)
    except NotACheckpoint:
        return
    assert str(checkpoint) == text


lines = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=80)


@given(lines, st.integers(0, MAX_SIZE), st.binary(min_size=32, max_size=32), st.lists(lines).map(tuple))
def test_what_is_written_reads_the_same(origin: str, size: int, root: bytes, extensions: tuple[str, ...]) -> None:
    checkpoint = Checkpoint(origin, size, root, extensions)
    assert Checkpoint.parse(str(checkpoint)) == checkpoint


@given(st.integers(-10, 2**70))
def test_sizes_are_read_up_to_63_bits(size: int) -> None:
    assert parse_size(str(size)) == (size if 0 <= size <= MAX_SIZE else None)


def test_checkpoint_of_its_log_is_trusted() -> None:
    signed = open_checkpoint(LOG.note(7), [LOG.keys[0].verifier])
    assert (signed.size, signed.root) == (7, LOG.root(7))


def test_key_of_one_log_does_not_vouch_for_another() -> None:
    """A trusted key that signs a checkpoint with another origin has signed something else."""
    with pytest.raises(NotACheckpoint, match=r"is of the log elsewhere\.example/log"):
        open_checkpoint(sign(str(SmallLog("elsewhere.example/log").checkpoint(7)), *LOG.keys), [LOG.keys[0].verifier])


def test_old_and_new_key_sign_together() -> None:
    """Who trusts either of them reads the checkpoint: that is how a key is replaced."""
    old, new, stranger = (key_of(ORIGIN, number=number) for number in range(3))
    note = LOG.note(7, old, new)
    for trusted in ([old], [new], [old, new]):
        assert open_checkpoint(note, [key.verifier for key in trusted]).size == 7
    with pytest.raises(Untrusted):
        open_checkpoint(note, [stranger.verifier])


def test_cosignatures_count_for_the_quorum() -> None:
    keys, witnesses = [LOG.keys[0].verifier], [witness_key(), witness_key(1)]
    signed = open_cosigned(cosigned(7, NOON), keys, witnesses, quorum=1)
    found = signed.note.signed_by(witness_key())
    assert found is not None
    assert cosigned_at(found) == NOON
    assert signed.note.signed_by(witness_key(1)) is None
    assert open_cosigned(cosigned(7, NOON, NOON), keys, witnesses, quorum=2).size == 7
    assert open_cosigned(cosigned(7), keys, [], quorum=0).size == 7
    with pytest.raises(Untrusted, match="1 of the 2 known witnesses cosigned; 2 must have"):
        open_cosigned(cosigned(7, NOON), keys, witnesses, quorum=2)


def test_one_witness_counts_once() -> None:
    """However often it has cosigned, and however often it is named."""
    text = str(LOG.checkpoint(7))
    twice = [cosign(WITNESS, text, NOON), cosign(WITNESS, text, NOON + 1)]
    note = build_note(text, [*parse_note_unverified(LOG.note(7)).signatures, *twice])
    with pytest.raises(Untrusted, match="1 of the 2"):
        open_cosigned(note, [LOG.keys[0].verifier], [witness_key(), witness_key(), witness_key(1)], quorum=2)


def test_witnesses_alone_do_not_make_a_checkpoint() -> None:
    """The log itself must have signed."""
    text = str(LOG.checkpoint(7))
    note = build_note(text, [cosign(WITNESS, text, NOON)])
    with pytest.raises(Untrusted):
        open_cosigned(note, [LOG.keys[0].verifier], [witness_key()], quorum=1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: (NOON + 1).to_bytes(8) + raw[8:],
        lambda raw: bytes(8) + raw[8:],
        lambda raw: raw[:-1],
        lambda raw: raw + b"\x00",
        lambda raw: raw[8:],
        lambda raw: raw[:8],
    ],
    ids=["another time", "no time", "cut", "longer", "time missing", "signature missing"],
)
def test_damaged_cosignature_is_refused(damage: "object") -> None:
    assert callable(damage)
    text = str(LOG.checkpoint(7))
    right = cosign(WITNESS, text, NOON)
    wrong = Signature(right.name, right.key_id, damage(right.signature))
    note = build_note(text, [*parse_note_unverified(LOG.note(7)).signatures, wrong])
    with pytest.raises(Untrusted, match="is wrong"):
        open_cosigned(note, [LOG.keys[0].verifier], [witness_key()], quorum=1)


@pytest.mark.parametrize("time", [0, 2**63])
def test_cosignature_names_a_time_that_can_be(time: int) -> None:
    """Also when it is rightly signed."""
    text = str(LOG.checkpoint(7))
    assert not witness_key().verifies(text.encode(), cosign(WITNESS, text, time).signature)


def test_cosignature_of_one_checkpoint_is_none_of_another() -> None:
    other = cosign(WITNESS, str(LOG.checkpoint(8)), NOON)
    note = build_note(str(LOG.checkpoint(7)), [*parse_note_unverified(LOG.note(7)).signatures, other])
    with pytest.raises(Untrusted, match="is wrong"):
        open_cosigned(note, [LOG.keys[0].verifier], [witness_key()], quorum=0)
