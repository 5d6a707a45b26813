"""Who is calling, and what they may do where.

A caller holds grants, each a role at one site or, as ``role:*``, in the whole group. They come from a JWT of the OIDC
issuer (claim ``grants``, for example ``["auditor:north", "viewer:*"]``) or from an API key (``stw_…``).
"""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import httpx
import jwt

from shared.database import Pool
from shared.errors import Forbidden, Malformed, NotFound, Unauthenticated, Unavailable
from shared.events import GROUP

Role = Literal["viewer", "operator", "approver", "site-admin", "auditor", "group-admin", "service"]
ROLES: tuple[str, ...] = get_args(Role)
EVERYWHERE = "*"
GRANT = re.compile(r"(?P<role>[a-z-]+):(?P<site>\*|[a-z][a-z0-9-]{0,62})")
GRANT_EXAMPLE = '"auditor:north" or "operator:*"'
KEY_PREFIX = "stw_"
JWKS_SECONDS = 300.0
ALGORITHMS = ["EdDSA", "ES256", "RS256"]

INCLUDES: Mapping[str, frozenset[str]] = {
    "viewer": frozenset({"viewer"}),
    "operator": frozenset({"operator", "viewer"}),
    "approver": frozenset({"approver", "viewer"}),
    "auditor": frozenset({"auditor", "viewer"}),
    "site-admin": frozenset({"site-admin", "operator", "viewer"}),
    "group-admin": frozenset({"group-admin", "site-admin", "operator", "viewer"}),
    "service": frozenset({"service", "viewer"}),
}
"""What each role may do besides its own. An administrator does not approve, and does not audit himself."""


@dataclass(frozen=True)
class Grant:
    """A role at one site, or everywhere."""

    role: str
    site_id: str

    @classmethod
    def parse(cls, text: str) -> "Grant":
        """Reads ``role:site``. Raises Malformed."""
        match = GRANT.fullmatch(text)
        if match is None or match["role"] not in ROLES:
            raise Malformed("grants", f"{text!r} must be role:site with a role of {', '.join(ROLES)}", GRANT_EXAMPLE)
        return cls(match["role"], match["site"])

    def __str__(self) -> str:
        return f"{self.role}:{self.site_id}"


@dataclass(frozen=True)
class Caller:
    """Somebody, or something, that was recognized. ``name`` goes as the actor into every event."""

    name: str
    grants: frozenset[Grant]

    def sites(self, role: Role) -> frozenset[str] | None:
        """The sites where the caller has ``role``; None stands for all of them."""
        held = {grant.site_id for grant in self.grants if role in INCLUDES[grant.role]}
        return None if EVERYWHERE in held else frozenset(held)

    def has(self, role: Role, site_id: str) -> bool:
        """Whether the caller has ``role`` at the site. Only a grant for the whole group reaches group-wide things."""
        sites = self.sites(role)
        return sites is None or (site_id in sites and site_id != GROUP)

    def require(self, role: Role, site_id: str, what: str | None = None) -> None:
        """Raises NotFound when the site lies outside the caller's, Forbidden when the role is missing there.

        ``what`` is the thing asked for (``asset 0198…``): NotFound then speaks of it as of an absent one.
        """
        if self.has(role, site_id):
            return
        if not self.has("viewer", site_id):
            raise NotFound(f"no {what or f'site {site_id}'}")
        raise Forbidden(f"this needs the role {role} at site {site_id}")


class Keys:
    """The issuer's public keys (JWKS, RFC 7517) from a URL or a file; read anew when a token names an unknown one."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = -JWKS_SECONDS

    async def find(self, key_id: str) -> jwt.PyJWK:
        """The key of that id. Raises Unauthenticated when the issuer has none, Unavailable when it can't be asked."""
        age = time.monotonic() - self._fetched
        if age > JWKS_SECONDS or (key_id not in self._keys and age > 1.0):
            await self._fetch()
        try:
            return self._keys[key_id]
        except KeyError:
            raise Unauthenticated("the token is signed with a key that the issuer does not publish") from None

    async def _fetch(self) -> None:
        try:
            if self._source.startswith(("http://", "https://")):
                async with httpx.AsyncClient(timeout=5.0) as client:
                    document = (await client.get(self._source)).raise_for_status().json()
            else:
                document = json.loads(await asyncio.to_thread(Path(self._source).read_text))
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(document).keys if key.key_id}
            self._fetched = time.monotonic()
        except (OSError, ValueError, httpx.HTTPError, jwt.PyJWTError) as exc:
            if not self._keys:
                raise Unavailable(f"the issuer's keys at {self._source} can't be read: {exc}") from exc


@dataclass(frozen=True)
class Identity:
    """Recognizes callers: the issuer's tokens, and the API keys that this service was told of."""

    issuer: str
    audience: str
    keys: Keys
    pool: Pool | None = None

    async def recognize(self, authorization: str | None) -> Caller:
        """The caller behind an Authorization header. Raises Unauthenticated with what is wrong with it."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("send the header Authorization: Bearer TOKEN")
        if token.startswith(KEY_PREFIX):
            return await self._by_api_key(token)
        return await self._by_jwt(token)

    async def _by_jwt(self, token: str) -> Caller:
        try:
            header = jwt.get_unverified_header(token)
            key = await self.keys.find(str(header.get("kid", "")))
            claims = jwt.decode(
                token,
                key.key,
                algorithms=ALGORITHMS,
                audience=self.audience,
                issuer=self.issuer,
                leeway=5,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWTError as exc:
            raise Unauthenticated(f"the token is not accepted: {exc}") from exc
        return Caller(str(claims["sub"]), parse_grants(claims))

    async def _by_api_key(self, token: str) -> Caller:
        if self.pool is None:
            raise Unauthenticated("API keys are not accepted here")
        row = await self.pool.fetchrow(
            "SELECT name, grants, expires_at, revoked_at FROM api_keys WHERE sha256 = $1", digest(token)
        )
        if row is None or row["revoked_at"] is not None or row["expires_at"] <= datetime.now(UTC):
            raise Unauthenticated("the API key is unknown, expired or revoked")
        return Caller(f"key:{row['name']}", frozenset(Grant.parse(text) for text in row["grants"]))


def parse_grants(claims: Mapping[str, Any]) -> frozenset[Grant]:
    """The grants of a token; what is no grant of ours (an issuer may put other groups there) gives no right."""
    listed = claims.get("grants", [])
    texts = [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
    return frozenset(Grant.parse(t) for t in texts if (m := GRANT.fullmatch(t)) and m["role"] in ROLES)


def digest(secret: str) -> str:
    """What is stored of an API key. Its secret has 256 random bits, so a plain digest can't be reversed."""
    return hashlib.sha256(secret.encode()).hexdigest()
