"""Retention over HTTP, for the administrators of the group. What they do is told by events, so auditors see it all."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from services.compliance.retention import handlers, store
from services.compliance.retention.domain import Asked, Hold, PartitionPlan, Policy, Restoring
from shared.errors import Malformed
from shared.events import GROUP, SiteId
from shared.http import Body, Call, IfMatch, requires
from shared.resource import Id, Line, Moment

router = APIRouter(prefix="/v1/retention", tags=["retention"])

LONGEST_DAYS = 36_525
MAX_NUMBER = 2**40
MAX_PARTITIONS = 100

Number = Annotated[int, Field(ge=0, le=MAX_NUMBER)]


class ChangePolicy(Body):
    """How many days entries stay; less than six years (2,192 days) needs a reason."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"days": 3650, "reason": None}]})

    days: int = Field(ge=1, le=LONGEST_DAYS)
    reason: Line | None = None


class AddPolicy(ChangePolicy):
    """How many days the entries of a site and a type stay; null stands for every site or type."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"site_id": "north", "type": "probe.result", "days": 3650}]}
    )

    site_id: SiteId | None = None
    type: Line | None = None


class PlaceHold(Body):
    """Entries that must stay until the hold is released; a part that is null is open. Times are those of the events."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"site_id": "north", "subject": None, "reason": "case 4 O 17/26"}]}
    )

    site_id: SiteId | None = None
    type: Line | None = None
    subject: Line | None = None
    from_time: Moment | None = None
    to_time: Moment | None = None
    reason: Line


class ReleaseHold(Body):
    """Why the entries need not stay any longer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the case was closed"}]})

    reason: Line


class Prune(Body):
    """Which partitions are to be archived and then dropped from the database."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"partitions": [0]}]})

    partitions: list[Number] = Field(min_length=1, max_length=MAX_PARTITIONS)


class Restore(Body):
    """Which partition is to be searchable again, and for how many days."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"partition": 0, "days": 30}]})

    partition: Number
    days: int = Field(ge=1, le=366)


Admin = Annotated[Call, requires("group-admin")]


@router.get("/policies")
async def list_policies(call: Admin) -> list[Policy]:
    """All policies. Where none fits, entries stay for six years."""
    call.caller.require("group-admin", GROUP, "retention")
    async with call.read() as conn:
        return await store.select_policies(conn)


@router.post("/policies", status_code=201)
async def add_policy(body: AddPolicy, call: Admin) -> Policy:
    """Says how long entries stay."""
    call.caller.require("group-admin", GROUP, "retention")
    return await call.run(handlers.add_policy, body.site_id, body.type, body.days, body.reason)


@router.get("/policies/{policy_id}")
async def get_policy(policy_id: Id, call: Admin) -> Policy:
    """The policy, with the ETag that its next change must name."""
    call.caller.require("group-admin", GROUP, f"policy {policy_id}")
    async with call.read() as conn:
        return call.tag(await store.select_policy(conn, policy_id))


@router.put("/policies/{policy_id}")
async def change_policy(policy_id: Id, body: ChangePolicy, call: Admin, version: IfMatch) -> Policy:
    """Says another time."""
    call.caller.require("group-admin", GROUP, f"policy {policy_id}")
    return await call.run(handlers.change_policy, policy_id, version, body.days, body.reason)


@router.delete("/policies/{policy_id}")
async def remove_policy(policy_id: Id, call: Admin, version: IfMatch) -> Policy:
    """Takes back what was said; the answer shows it a last time."""
    call.caller.require("group-admin", GROUP, f"policy {policy_id}")
    return await call.run(handlers.remove_policy, policy_id, version)


@router.get("/holds")
async def list_holds(call: Admin) -> list[Hold]:
    """All legal holds, released ones too."""
    call.caller.require("group-admin", GROUP, "retention")
    async with call.read() as conn:
        return await store.select_holds(conn)


@router.post("/holds", status_code=201)
async def place_hold(body: PlaceHold, call: Admin) -> Hold:
    """Keeps entries, whatever the policies say."""
    call.caller.require("group-admin", GROUP, "retention")
    if body.from_time is not None and body.to_time is not None and body.from_time >= body.to_time:
        raise Malformed("to_time", "must lie after from_time", "2027-01-01T00:00:00Z")
    return await call.run(
        handlers.place_hold, body.site_id, body.type, body.subject, body.from_time, body.to_time, body.reason
    )


@router.get("/holds/{hold_id}")
async def get_hold(hold_id: Id, call: Admin) -> Hold:
    """The hold, with the ETag that its release must name."""
    call.caller.require("group-admin", GROUP, f"hold {hold_id}")
    async with call.read() as conn:
        return call.tag(await store.select_hold(conn, hold_id))


@router.post("/holds/{hold_id}/release")
async def release_hold(hold_id: Id, body: ReleaseHold, call: Admin, version: IfMatch) -> Hold:
    """Ends a hold."""
    call.caller.require("group-admin", GROUP, f"hold {hold_id}")
    return await call.run(handlers.release_hold, hold_id, version, body.reason)


@router.get("/plan")
async def get_plan(call: Admin) -> list[PartitionPlan]:
    """The dry run: every partition of the log, when it may go, and what keeps it."""
    call.caller.require("group-admin", GROUP, "retention")
    async with call.read() as conn:
        await store.see_all_sites(conn)
        return await handlers.read_plan(conn, datetime.now(UTC))


class Moving:
    """What moves partitions, which needs the archive of the setting ``log_archive``."""

    def __init__(self, archive: str | None) -> None:
        self._archive = archive

    async def prune(self, body: Prune, call: Admin) -> Asked:
        """Has partitions archived and then dropped; 409 says what keeps one of them, and then none goes."""
        call.caller.require("group-admin", GROUP, "retention")
        return await call.run(handlers.ask_to_prune, sorted(set(body.partitions)), self._archive)

    async def restore(self, body: Restore, call: Admin) -> Restoring:
        """Has a pruned partition brought back from its archive for a while."""
        call.caller.require("group-admin", GROUP, "retention")
        return await call.run(handlers.ask_to_restore, body.partition, body.days, self._archive)


def moving_router(archive: str | None) -> APIRouter:
    """The routes that move partitions; without an archive they say which setting is missing."""
    moving, routes = Moving(archive), APIRouter(prefix="/v1/retention", tags=["retention"])
    routes.add_api_route("/prune", moving.prune, methods=["POST"], status_code=202)
    routes.add_api_route("/restore", moving.restore, methods=["POST"], status_code=202)
    return routes
