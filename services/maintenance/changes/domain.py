"""Rules of patches: another version than before, on a system that runs, at a time that has been."""

from datetime import datetime, timedelta

from pydantic import Field

from services.maintenance.fleet.domain import System
from shared.errors import Conflict, Malformed
from shared.events import Instant
from shared.resource import Resource

CLOCK_SKEW = timedelta(minutes=5)


class Patch(Resource):
    """A patch as it was recorded; it never changes, so its version stays 1."""

    id: str
    site_id: str
    system_id: str
    from_version: str = Field(examples=["12.3"])
    to_version: str = Field(examples=["12.4"])
    applied_at: Instant
    summary: str
    recorded_at: Instant
    recorded_by: str


def record_patch(
    system: System, to_version: str, applied_at: datetime, summary: str, *, patch_id: str, now: datetime, actor: str
) -> Patch:
    """The record of a patch. Raises Conflict for a state that does not allow it, Malformed for a time to come."""
    if not system.is_running:
        raise Conflict(f"the system is {system.state}; it must run to be patched", state=system.state)
    if system.software_version is None:
        raise Conflict("inventory does not know what the system runs; record its software there first")
    if to_version == system.software_version:
        raise Conflict(f"the system runs {to_version} already", software_version=to_version)
    if applied_at > now + CLOCK_SKEW:
        raise Malformed("applied_at", "must not lie in the future", now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return Patch(
        id=patch_id,
        version=1,
        site_id=system.site_id,
        system_id=system.id,
        from_version=system.software_version,
        to_version=to_version,
        applied_at=applied_at,
        summary=summary,
        recorded_at=now,
        recorded_by=actor,
    )
