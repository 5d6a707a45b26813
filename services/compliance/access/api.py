"""API keys over HTTP, for the administrators of the group."""

import secrets
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from services.compliance.access import handlers, store
from services.compliance.access.domain import Key, check_grants
from shared.events import GROUP
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.identity import KEY_PREFIX, digest
from shared.resource import Id, Line, Moment

router = APIRouter(prefix="/v1/keys", tags=["keys"])

SECRET_BYTES = 32
MAX_GRANTS = 100


class IssueKey(Body):
    """A key for a machine. Its name stands as the actor ``key:NAME`` in the audit trail; no two keys share one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "backup-monitor", "grants": ["viewer:north"], "expires_at": "2027-01-31T00:00:00Z"},
            ]
        }
    )

    name: Line
    grants: list[str] = Field(min_length=1, max_length=MAX_GRANTS)
    expires_at: Moment


class IssuedKey(Key):
    """A new key with its secret. It is shown in this answer only; a repeated request is answered without it."""

    secret: str | None = Field(None, examples=["stw_…"])


@router.post("", status_code=201)
async def issue_key(body: IssueKey, call: Annotated[Call, requires("group-admin")]) -> IssuedKey:
    """Issues a key that may do at the most what you may."""
    call.caller.require("group-admin", GROUP, "API keys")
    grants = check_grants(call.caller, body.grants)
    secret = KEY_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    key = await call.run(handlers.issue_key, body.name, grants, body.expires_at, digest(secret))
    call.response.headers["Cache-Control"] = "no-store"
    return IssuedKey(**key.model_dump(), secret=secret)


@router.get("")
async def list_keys(call: Annotated[Call, requires("group-admin")], paging: Paging) -> Page[Key]:
    """All keys that were ever issued."""
    call.caller.require("group-admin", GROUP, "API keys")
    async with call.read() as conn:
        found = await store.select_keys(conn, paging.after, paging.limit + 1)
    return paging.page(found, lambda key: key.id)


@router.get("/{key_id}")
async def get_key(key_id: Id, call: Annotated[Call, requires("group-admin")]) -> Key:
    """The key without its secret, with the ETag that its revocation must name."""
    call.caller.require("group-admin", GROUP, f"key {key_id}")
    async with call.read() as conn:
        return call.tag(await store.select_key(conn, key_id))


@router.post("/{key_id}/revocation")
async def revoke_key(key_id: Id, call: Annotated[Call, requires("group-admin")], version: IfMatch) -> Key:
    """Revokes a key; each service refuses it as soon as it has heard of that."""
    call.caller.require("group-admin", GROUP, f"key {key_id}")
    return await call.run(handlers.revoke_key, key_id, version)
