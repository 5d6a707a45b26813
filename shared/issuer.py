"""Steward's own issuer, for `steward up`, tests and small installations: an Ed25519 key that signs tokens."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

ISSUER = "urn:steward:issuer"
AUDIENCE = "steward"


class Issuer:
    """Signs tokens with the key in ``folder``, which is made at first use and readable by its owner alone."""

    def __init__(self, folder: Path) -> None:
        self.jwks_file = folder / "jwks.json"
        self._key_file = folder / "issuer.pem"
        if not self._key_file.exists():
            self._create(folder)
        key = load_pem_private_key(self._key_file.read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)  # noqa: S101 -- _create writes no other kind
        self._key = key

    def _create(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with open(os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pem)
        public = jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self.jwks_file.write_text(json.dumps({"keys": [public | {"kid": "steward", "use": "sig", "alg": "EdDSA"}]}))

    def token(self, subject: str, grants: Sequence[str], lifetime: timedelta = timedelta(hours=12)) -> str:
        """A token for ``subject`` with ``grants`` (``role:site``) that is valid from now on for ``lifetime``."""
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now,
            "exp": now + lifetime,
            "grants": list(grants),
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": "steward"})
