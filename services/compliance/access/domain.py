"""Rules of API keys: what a key may be given, and by whom, and for how long."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from pydantic import Field

from shared.errors import Conflict, Forbidden, Malformed
from shared.events import GROUP, Instant
from shared.grants import EVERYWHERE, GRANT_EXAMPLE, Caller, Grant, Role
from shared.resource import Resource

LONGEST = timedelta(days=366)


class Key(Resource):
    """An API key without its secret, which only the answer to its issue shows."""

    id: str = Field(examples=["0198c0de-0000-7000-8000-000000000001"])
    name: str = Field(examples=["backup-monitor"])
    grants: list[str] = Field(examples=[["viewer:north"]])
    issued_by: str
    issued_at: Instant
    expires_at: Instant
    revoked_by: str | None = None
    revoked_at: Instant | None = None


def check_grants(caller: Caller, texts: Sequence[str]) -> list[str]:
    """The grants in their one form. Raises Malformed, or Forbidden for what the caller does not hold himself."""
    grants = {Grant.parse(text) for text in texts}
    for grant in sorted(grants, key=str):
        if grant.site_id == GROUP:
            raise Malformed("grants", f"{grant}: a grant for the whole group is written {grant.role}:*", GRANT_EXAMPLE)
        site_id = GROUP if grant.site_id == EVERYWHERE else grant.site_id
        if not caller.has(cast(Role, grant.role), site_id):
            raise Forbidden(f"you can't grant {grant}, because you don't hold it yourself")
    return sorted(map(str, grants))


def check_expiry(expires_at: datetime, now: datetime) -> None:
    """Raises Malformed unless a key made ``now`` ends within a year."""
    if not now < expires_at <= now + LONGEST:
        example = (now + timedelta(days=90)).strftime("%Y-%m-%dT00:00:00Z")
        raise Malformed("expires_at", "must lie ahead, and a year at the most", example)


def revoke(key: Key, actor: str, now: datetime) -> Key:
    """The key, revoked. Raises Conflict when it was before."""
    if key.revoked_at is not None:
        raise Conflict(f"key {key.name} was revoked at {key.revoked_at.isoformat()} by {key.revoked_by}")
    return key.model_copy(update={"revoked_at": now, "revoked_by": actor, "version": key.version + 1})
