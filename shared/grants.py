"""What a caller may do where: grants, each a role at one site or, as ``role:*``, in the whole group. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from shared.errors import Forbidden, Malformed, NotFound
from shared.events import GROUP
from shared.events.contract import SITE_ID

Role = Literal["viewer", "operator", "approver", "site-admin", "auditor", "group-admin", "service"]
ROLES: tuple[str, ...] = get_args(Role)
EVERYWHERE = "*"
GRANT = re.compile(rf"(?P<role>[a-z-]+):(?P<site>\*|{SITE_ID})")
GRANT_EXAMPLE = '"auditor:north" or "operator:*"'

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
        """The sites where the caller has ``role``; None stands for all of them and for what belongs to the group."""
        held = {grant.site_id for grant in self.grants if role in INCLUDES[grant.role]}
        return None if EVERYWHERE in held else frozenset(held - {GROUP})

    def has(self, role: Role, site_id: str) -> bool:
        """Whether the caller has ``role`` at the site. Only a grant for the whole group reaches group-wide things."""
        sites = self.sites(role)
        return sites is None or site_id in sites

    def require(self, role: Role, site_id: str, what: str | None = None) -> None:
        """Raises NotFound when the site lies outside the caller's, Forbidden when the role is missing there.

        ``what`` is the thing asked for (``asset 0198…``): NotFound then speaks of it as of an absent one.
        """
        if self.has(role, site_id):
            return
        if not self.has("viewer", site_id):
            raise NotFound(f"no {what or f'site {site_id}'}")
        raise Forbidden(f"this needs the role {role} at site {site_id}")

    def require_everywhere(self, role: Role) -> None:
        """Raises Forbidden without ``role`` for the whole group: for what all may see and few may change."""
        if not self.has(role, GROUP):
            raise Forbidden(f"this needs the role {role} for the whole group, by the grant {role}:*")


def parse_grants(claims: Mapping[str, Any]) -> frozenset[Grant]:
    """The grants of a token; what is no grant of ours (an issuer may put other groups there) gives no right."""
    listed = claims.get("grants", [])
    texts = [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
    return frozenset(Grant.parse(t) for t in texts if (m := GRANT.fullmatch(t)) and m["role"] in ROLES)
