"""Rules of protection sets: one for each system, scope and repository, on systems that still have data."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.errors import Conflict
from shared.events.backup import Scope
from shared.events.inventory import LifecycleState
from shared.resource import Resource

WITHOUT_DATA: frozenset[LifecycleState] = frozenset({"sanitized", "disposed", "closed", "cancelled"})

Engine = Literal["restic"]
Repository = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""The name of a repository within its site; also the name of its folder."""


class System(BaseModel):
    """What backup keeps of a PACS system."""

    model_config = ConfigDict(frozen=True)

    id: str
    site_id: str
    name: str
    state: LifecycleState
    version: int


class ProtectionSet(Resource):
    """A folder on the backup service's machine that is copied into a repository of the system's site."""

    id: str = Field(examples=["0199d6a0-7c3e-7a51-9f0e-6a1c52d7b101"])
    system_id: str = Field(examples=["0199d6a0-7c3e-7a51-9f0e-6a1c52d7b001"])
    site_id: str = Field(examples=["north"])
    scope: Scope = Field(examples=["archive"])
    engine: Engine = Field(examples=["restic"])
    path: str = Field(examples=["/srv/archive/north"])
    repository: str = Field(examples=["north-archive"])


def check_has_data(system: System) -> None:
    """Raises Conflict when the system's lifecycle says that nothing of it is left to protect."""
    if system.state in WITHOUT_DATA:
        raise Conflict(f"system {system.id} is {system.state}; there is nothing to back up", state=system.state)
