"""Who is calling.

A caller's grants come from a JWT of the OIDC issuer (claim ``grants``, for example ``["auditor:north", "viewer:*"]``)
or from an API key (``stw_…``).
"""

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import jwt

from shared.database import Pool
from shared.errors import Unauthenticated, Unavailable
from shared.grants import Caller, Grant, parse_grants

KEY_PREFIX = "stw_"
JWKS_SECONDS = 300.0
JWKS_RETRY_SECONDS = 1.0
MOST_REMEMBERED = 1_000
"""How many tokens are remembered, by their digests, before all are forgotten."""

RESERVED_SUBJECTS = ("service:", "key:")
ALGORITHMS = ["EdDSA", "ES256", "RS256"]


class Keys:
    """The issuer's public keys (JWKS, RFC 7517) from a URL or a file; read anew when a token names an unknown one."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._asked = -JWKS_SECONDS
        self._asking = asyncio.Lock()
        self._fault: str | None = None

    async def find(self, key_id: str) -> jwt.PyJWK:
        """The key of that id. Raises Unauthenticated when the issuer has none, Unavailable when it can't be asked."""
        # While one asks, only those wait who have no key: an issuer may hang for seconds.
        if self._should_ask(key_id) and not (key_id in self._keys and self._asking.locked()):
            async with self._asking:
                if self._should_ask(key_id):
                    await self._ask()
        if not self._keys and self._fault is not None:
            raise Unavailable(self._fault)
        try:
            return self._keys[key_id]
        except KeyError:
            raise Unauthenticated("the token is signed with a key that the issuer does not publish") from None

    def _should_ask(self, key_id: str) -> bool:
        now = time.monotonic()
        is_wanted = key_id not in self._keys or now - self._fetched > JWKS_SECONDS
        return is_wanted and now - self._asked > JWKS_RETRY_SECONDS

    async def _ask(self) -> None:
        try:
            if self._source.startswith(("http://", "https://")):
                async with httpx.AsyncClient(timeout=5.0) as client:
                    document = (await client.get(self._source)).raise_for_status().json()
            else:
                document = json.loads(await asyncio.to_thread(Path(self._source).read_text))
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(document).keys if key.key_id}
            self._fetched, self._fault = time.monotonic(), None
        except (OSError, ValueError, httpx.HTTPError, jwt.PyJWTError) as exc:
            self._fault = f"the issuer's keys at {self._source} can't be read: {exc}"
        finally:
            self._asked = time.monotonic()


@dataclass(frozen=True, slots=True)
class Verified:
    """Whose token it is, until when, and the very key that has shown it: one that was read anew is another."""

    caller: Caller
    expires_at: float
    key_id: str
    key: jwt.PyJWK


@dataclass(frozen=True)
class Identity:
    """Recognizes callers: the issuer's tokens, and the API keys that this service was told of."""

    issuer: str
    audience: str
    keys: Keys
    pool: Pool | None = None
    _verified: dict[str, Verified] = field(default_factory=dict, init=False, repr=False, compare=False)

    async def recognize(self, authorization: str | None) -> Caller:
        """The caller behind an Authorization header. Raises Unauthenticated with what is wrong with it."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("send the header Authorization: Bearer TOKEN")
        if token.startswith(KEY_PREFIX):
            return await self._by_api_key(token)
        return await self._by_jwt(token)

    async def _by_jwt(self, token: str) -> Caller:
        """The caller behind a token. Its signature is checked once as long as the issuer's keys were not read anew."""
        known = self._verified.get(digest(token))
        if known is not None and time.time() < known.expires_at and await self.keys.find(known.key_id) is known.key:
            return known.caller
        verified = await self._verify(token)
        if len(self._verified) >= MOST_REMEMBERED:
            self._verified.clear()
        self._verified[digest(token)] = verified
        return verified.caller

    async def _verify(self, token: str) -> Verified:
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
            key = await self.keys.find(key_id)
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.audience,
                issuer=self.issuer,
                leeway=5,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWTError as exc:
            raise Unauthenticated(f"the token is not accepted: {exc}") from exc
        caller = Caller(check_subject(str(claims["sub"])), parse_grants(claims))
        return Verified(caller, float(claims["exp"]), key_id, key)

    async def _by_api_key(self, token: str) -> Caller:
        if self.pool is None:
            raise Unauthenticated("API keys are not accepted here")
        row = await self.pool.fetchrow(
            "SELECT name, grants, expires_at, revoked_at FROM api_keys WHERE sha256 = $1", digest(token)
        )
        if row is None or row["revoked_at"] is not None or row["expires_at"] <= datetime.now(UTC):
            raise Unauthenticated("the API key is unknown, expired or revoked")
        return Caller(f"key:{row['name']}", frozenset(Grant.parse(text) for text in row["grants"]))


def check_subject(subject: str) -> str:
    """A token's subject as an actor's name. Raises Unauthenticated when it can't stand in the audit trail as one."""
    if not (1 <= len(subject) <= 200 and subject.isprintable()) or subject.startswith(RESERVED_SUBJECTS):
        raise Unauthenticated(
            "the token's subject must have 1 to 200 printable characters and not begin with "
            + " or ".join(RESERVED_SUBJECTS)
        )
    return subject


def digest(secret: str) -> str:
    """What is stored of an API key. Its secret has 256 random bits, so a plain digest can't be reversed."""
    return hashlib.sha256(secret.encode()).hexdigest()
