"""Rules of targets: an asset is probed while it, and the system it belongs to, are there to answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field

from services.probes.history.domain import Result
from services.probes.runs.domain import Cadence
from shared.events.contract import SITE_ID
from shared.events.inventory import DicomAddress, LifecycleState
from shared.resource import Resource

PROBED_STATES: frozenset[LifecycleState] = frozenset(
    {"staged", "commissioning", "in_service", "maintenance", "degraded", "retiring", "migrated"}
)

SITE_VANTAGE = re.compile(rf"({SITE_ID})=([a-z0-9](?:[a-z0-9.-]{{0,61}}[a-z0-9])?)")
NOBODY = "none"
NOTHING_ON = "it has no check that is on, and its site's nodes are asked nothing by themselves"


class Target(Resource):
    """A DICOM node, or another asset with checks; whether it is probed, if not, why; and what its probes saw last."""

    id: str
    site_id: str = Field(examples=["north"])
    kind: str = Field(examples=["node"])
    name: str = Field(examples=["north-pacs"])
    system_id: str | None
    dicom: DicomAddress | None
    probed: bool
    reason: str | None = Field(examples=["the node is isolated"])
    last: list[Result] = Field(default=[], description="what each of its probes saw last, by kind")


@dataclass(frozen=True)
class Defaults:
    """The probes that nodes get by themselves: how often they are made, and, by site, by which agent; None: by nobody.

    Those of sites that are not named are made by any replica of the service.
    """

    cadence: Cadence
    vantages: Mapping[str, str | None] = field(default_factory=dict)

    def are_made_at(self, site_id: str) -> bool:
        """Whether the nodes of a site get any."""
        return self.vantages.get(site_id, "") is not None


def parse_vantages(value: object) -> object:
    """Reads ``south=south-dmz west=none``. Raises ValueError with the rule."""
    if not isinstance(value, str):
        return value
    vantages: dict[str, str | None] = {}
    for part in value.split():
        pair = SITE_VANTAGE.fullmatch(part)
        if pair is None or pair[1] in vantages:
            raise ValueError(f"must be site=agent or site=none, each site once, with spaces between, and has {part!r}")
        vantages[pair[1]] = None if pair[2] == NOBODY else pair[2]
    return vantages


@dataclass(frozen=True)
class Standing:
    """How an asset stands in its lifecycle."""

    state: LifecycleState
    retired: bool

    @property
    def is_probed(self) -> bool:
        """Whether something is expected to answer."""
        return not self.retired and self.state in PROBED_STATES

    @property
    def text(self) -> str:
        """The state in words."""
        return "retired" if self.retired else self.state.replace("_", " ")


@dataclass(frozen=True)
class Subject:
    """An asset that checks can be about; with a ``reason`` it is not probed now."""

    id: str
    site_id: str
    kind: str
    name: str
    system_id: str | None
    reason: str | None


def why_not_probed(kind: str, asset: Standing, system: Standing | None) -> str | None:
    """The reason not to probe an asset, or None. A system that was not heard of yet is no reason."""
    if not asset.is_probed:
        return f"the {kind} is {asset.text}"
    if system is not None and not system.is_probed:
        return f"its system is {system.text}"
    return None


def why_nothing_is_asked(has_address: bool, is_checked: bool) -> str | None:
    """The reason why an asset that could answer is asked nothing, or None."""
    return None if has_address or is_checked else "it has no DICOM address"
