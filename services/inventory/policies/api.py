"""Policies over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import ConfigDict

from services.inventory.policies import handlers
from services.inventory.policies.domain import Policy, PublishedPolicy
from shared.errors import Malformed
from shared.http import Call, Page, Paging, requires

router = APIRouter(prefix="/v1/policies", tags=["lifecycle"])

EXAMPLE = handlers.BUILT_IN.policy.model_dump(mode="json", exclude_defaults=True) | {
    "version": handlers.BUILT_IN.version + 1
}
LARGEST = 1_000_000


class PublishPolicy(Policy):
    """A whole policy, whose version is the number after the newest one. It judges all that comes from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


@router.post("", status_code=201)
async def publish_policy(body: PublishPolicy, call: Annotated[Call, requires("group-admin")]) -> PublishedPolicy:
    """Puts a new version in force. Earlier ones stay, and each decision names the one that it was made under."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.publish_policy, body)


@router.get("")
async def list_policies(call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[PublishedPolicy]:
    """All versions, the one that comes with Steward first; everybody sees them."""
    async with call.read() as conn:
        found = await handlers.list_policies(conn, _after(paging.after), paging.limit + 1)
    return paging.page(found, lambda published: str(published.version))


@router.get("/{policy_version}")
async def get_policy(
    policy_version: Annotated[int, Path(ge=1, le=LARGEST)], call: Annotated[Call, requires("viewer")]
) -> PublishedPolicy:
    """One version."""
    async with call.read() as conn:
        return call.tag(await handlers.find_policy(conn, policy_version))


def _after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (
        cursor.isascii() and cursor.isdecimal() and int(cursor[:8]) <= LARGEST and len(cursor) <= len(str(LARGEST))
    ):
        raise Malformed("cursor", "must be the next of a page", "2")
    return int(cursor)
