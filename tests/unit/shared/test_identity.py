"""Whose token is believed, and whose is not."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.errors import Unauthenticated, Unavailable
from shared.events import GROUP
from shared.identity import Identity, Keys
from shared.issuer import AUDIENCE, ISSUER, Issuer

GRANTS = ["auditor:north", "viewer:*"]


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    """The issuer that is believed."""
    return Issuer(tmp_path / "keys")


@pytest.fixture
def identity(issuer: Issuer) -> Identity:
    """What recognizes its tokens."""
    return Identity(ISSUER, AUDIENCE, Keys(str(issuer.jwks_file)))


def signed(issuer: Issuer, **changes: Any) -> str:
    """A token of the issuer's with other claims; None leaves a claim out."""
    now = datetime.now(UTC)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + timedelta(hours=1)} | changes
    left = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(left, issuer._key, algorithm="EdDSA", headers={"kid": "steward"})


async def test_a_token_of_the_issuer_is_believed(issuer: Issuer, identity: Identity) -> None:
    """Its subject is the caller's name, its grants the caller's rights."""
    caller = await identity.recognize(f"Bearer {issuer.token('alice', GRANTS)}")
    assert caller.name == "alice"
    assert caller.sites("auditor") == frozenset({"north"})
    assert caller.sites("viewer") is None
    assert caller.sites("operator") == frozenset()


async def test_claims_that_are_no_grants_of_ours_give_no_right(issuer: Issuer, identity: Identity) -> None:
    """An issuer may put other groups there, of any shape."""
    odd = ["auditor:north", "domain users", "root:*", "auditor:NORTH", "auditor", 7, None, {"auditor": "north"}]
    caller = await identity.recognize(f"Bearer {signed(issuer, grants=odd)}")
    assert {str(grant) for grant in caller.grants} == {"auditor:north"}
    assert (await identity.recognize(f"Bearer {signed(issuer, grants='group-admin:*')}")).grants == frozenset()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"exp": datetime.now(UTC) - timedelta(minutes=1)}, id="expired"),
        pytest.param({"exp": None}, id="never expires"),
        pytest.param({"iss": "https://elsewhere.example"}, id="foreign issuer"),
        pytest.param({"aud": "another-system"}, id="foreign audience"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"sub": None}, id="no subject"),
        pytest.param({"sub": ""}, id="empty subject"),
        pytest.param({"sub": "x" * 201}, id="long subject"),
        pytest.param({"sub": "alice\nbob"}, id="subject of two lines"),
        pytest.param({"sub": "service:probes"}, id="a service's name"),
        pytest.param({"sub": "key:robot"}, id="a key's name"),
        pytest.param({"nbf": datetime.now(UTC) + timedelta(days=1)}, id="not yet valid"),
        pytest.param({"iat": datetime.now(UTC) + timedelta(days=1)}, id="issued in the future"),
    ],
)
async def test_a_token_with_wrong_claims_is_refused(
    issuer: Issuer, identity: Identity, changes: dict[str, Any]
) -> None:
    """Signed by the right key, and still not valid here or now."""
    with pytest.raises(Unauthenticated):
        await identity.recognize(f"Bearer {signed(issuer, **changes)}")


async def test_a_token_of_another_key_is_refused(identity: Identity, tmp_path: Path) -> None:
    """A foreign issuer that claims our name, with our key id."""
    foreign = Issuer(tmp_path / "foreign")
    with pytest.raises(Unauthenticated):
        await identity.recognize(f"Bearer {foreign.token('mallory', ['group-admin:*'])}")


async def test_a_token_of_an_unknown_key_is_refused(identity: Identity) -> None:
    """A key id that the issuer does not publish."""
    token = jwt.encode({"sub": "x"}, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": "other"})
    with pytest.raises(Unauthenticated, match="does not publish"):
        await identity.recognize(f"Bearer {token}")


def unsigned(issuer: Issuer, header: dict[str, str], secret: bytes | None) -> str:
    """A token with a header of the forger's choice, signed with what the forger knows."""
    claims = signed(issuer, grants=["group-admin:*"]).split(".")[1]
    head = base64.urlsafe_b64encode(json.dumps({"kid": "steward", "typ": "JWT"} | header).encode()).rstrip(b"=")
    signing_input = head + b"." + claims.encode()
    mac = hmac.new(secret, signing_input, hashlib.sha256).digest() if secret is not None else b""
    return (signing_input + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


async def test_unsigned_and_confused_tokens_are_refused(issuer: Issuer, identity: Identity) -> None:
    """``alg: none``, an algorithm that the key is not made for, and the public key used as an HMAC secret."""
    public = issuer.jwks_file.read_bytes()
    for token in (
        unsigned(issuer, {"alg": "none"}, None),
        unsigned(issuer, {"alg": "RS256"}, b"any"),
        unsigned(issuer, {"alg": "ES256"}, b"any"),
        unsigned(issuer, {"alg": "HS256"}, public),
        unsigned(issuer, {"alg": "HS256"}, base64.urlsafe_b64decode(json.loads(public)["keys"][0]["x"] + "==")),
    ):
        with pytest.raises(Unauthenticated):
            await identity.recognize(f"Bearer {token}")


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer \u00e9", "x" * 5000]
)
async def test_what_is_no_bearer_token_is_refused(identity: Identity, header: str | None) -> None:
    """Absent, of another scheme, or no token at all."""
    with pytest.raises(Unauthenticated):
        await identity.recognize(header)


async def test_without_the_issuers_keys_nobody_is_believed_and_nobody_refused(tmp_path: Path, issuer: Issuer) -> None:
    """A file that is missing is our fault, not the caller's: try again later."""
    blind = Identity(ISSUER, AUDIENCE, Keys(str(tmp_path / "missing.json")))
    with pytest.raises(Unavailable, match="missing"):
        await blind.recognize(f"Bearer {issuer.token('alice', GRANTS)}")


async def test_a_rotated_key_is_found(tmp_path: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that names a key we have not seen makes us look again."""
    monkeypatch.setattr("shared.identity.JWKS_RETRY_SECONDS", 0.0)
    file = tmp_path / "published.json"
    file.write_text(Issuer(tmp_path / "old").jwks_file.read_text().replace("steward", "old"))
    identity = Identity(ISSUER, AUDIENCE, Keys(str(file)))
    with pytest.raises(Unauthenticated):
        await identity.recognize(f"Bearer {issuer.token('alice', GRANTS)}")
    file.write_text(issuer.jwks_file.read_text())
    assert (await identity.recognize(f"Bearer {issuer.token('alice', GRANTS)}")).name == "alice"


async def test_a_token_is_verified_once(issuer: Issuer, identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was believed is believed again without looking at its signature; another token has its own."""
    decoded: list[str] = []
    decode = jwt.decode

    def noted(token: str, *args: Any, **options: Any) -> Any:
        decoded.append(token)
        return decode(token, *args, **options)

    monkeypatch.setattr("jwt.decode", noted)
    tokens = [signed(issuer, sub=name, grants=GRANTS) for name in ("alice", "ben")]
    for token in tokens * 3:
        assert (await identity.recognize(f"Bearer {token}")).sites("auditor") == frozenset({"north"})
    forged = tokens[0][:-8] + "A" * 8
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await identity.recognize(f"Bearer {forged}")
    assert decoded == [*tokens, forged, forged]


async def test_a_token_that_was_believed_ends_with_its_time(
    issuer: Issuer, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is verified again from its end on, and then refused as any other."""
    end = datetime.now(UTC) + timedelta(hours=1)
    token = signed(issuer, exp=end)
    await identity.recognize(f"Bearer {token}")
    monkeypatch.setattr("time.time", lambda: end.timestamp())
    monkeypatch.setattr("jwt.decode", refuse)
    with pytest.raises(Unauthenticated, match="expired"):
        await identity.recognize(f"Bearer {token}")


def refuse(*_: Any, **__: Any) -> Any:
    """What the library says of a token that has ended."""
    raise jwt.ExpiredSignatureError("it has expired")


async def test_a_token_that_was_believed_ends_with_its_key(
    tmp_path: Path, issuer: Issuer, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the issuer publishes another key under the same name, or none, it is refused."""
    token = issuer.token("alice", GRANTS)
    await identity.recognize(f"Bearer {token}")
    monkeypatch.setattr("shared.identity.JWKS_SECONDS", 0.0)
    monkeypatch.setattr("shared.identity.JWKS_RETRY_SECONDS", 0.0)
    await identity.recognize(f"Bearer {token}")
    issuer.jwks_file.write_bytes(Issuer(tmp_path / "other").jwks_file.read_bytes())
    with pytest.raises(Unauthenticated, match="Signature verification failed"):
        await identity.recognize(f"Bearer {token}")
    issuer.jwks_file.write_text('{"keys": []}')
    with pytest.raises(Unauthenticated):
        await identity.recognize(f"Bearer {token}")


async def test_tokens_without_end_are_not_all_remembered(
    issuer: Issuer, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers who get a new token for each request do not fill the memory."""
    monkeypatch.setattr("shared.identity.MOST_REMEMBERED", 3)
    for number in range(10):
        assert (await identity.recognize(f"Bearer {signed(issuer, sub=f'anna-{number}')}")).name == f"anna-{number}"
        assert len(identity._verified) <= 3


async def test_an_issuer_that_hangs_keeps_nobody_waiting_whose_key_is_known(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One caller asks it again; the others are let in by the key that was read before."""
    keys = Keys(str(issuer.jwks_file))
    identity, token = Identity(ISSUER, AUDIENCE, keys), f"Bearer {issuer.token('alice', GRANTS)}"
    assert (await identity.recognize(token)).name == "alice"
    asked, released = asyncio.Event(), asyncio.Event()

    async def hang(*_: object) -> str:
        asked.set()
        await released.wait()
        raise OSError("gone")

    monkeypatch.setattr("shared.identity.JWKS_SECONDS", 0.0)
    monkeypatch.setattr("shared.identity.JWKS_RETRY_SECONDS", 0.0)
    monkeypatch.setattr("shared.identity.asyncio.to_thread", hang)
    first = asyncio.create_task(identity.recognize(token))
    await asked.wait()
    async with asyncio.timeout(5):
        assert (await identity.recognize(token)).name == "alice"
    released.set()
    assert (await first).name == "alice"


async def test_a_grant_for_the_groups_own_name_opens_nothing_of_the_group(issuer: Issuer, identity: Identity) -> None:
    """What belongs to the whole group is for those who hold a role everywhere: ``viewer:*``."""
    caller = await identity.recognize(f"Bearer {issuer.token('alice', ['viewer:group', 'auditor:north'])}")
    assert caller.sites("viewer") == frozenset({"north"})
    assert not caller.has("viewer", GROUP)


def test_the_private_key_is_readable_by_its_owner_alone(issuer: Issuer) -> None:
    """Others on the machine may read the public keys only."""
    assert (issuer.jwks_file.parent / "issuer.pem").stat().st_mode & 0o077 == 0
    assert "d" not in json.loads(issuer.jwks_file.read_text())["keys"][0]
