"""Rules of sites: a short name that never changes, a time zone of the IANA database, a place on the globe."""

from typing import TypedDict

from pydantic import Field

from shared.errors import Malformed
from shared.events import GROUP
from shared.events.inventory import SiteChanged
from shared.resource import Resource
from shared.time_zones import is_time_zone

RESERVED = frozenset({GROUP})


class Place(TypedDict, total=False):
    """Where a site lies, how it is reached, and which group it belongs to."""

    latitude: float | None
    longitude: float | None
    gateway: str | None
    group_id: str | None
    address: str | None


class Site(Resource):
    """A hospital of the group. Coordinates are degrees of WGS 84."""

    id: str = Field(examples=["north"])
    name: str = Field(examples=["Northfield General Hospital"])
    time_zone: str = Field(examples=["Europe/Berlin"])
    latitude: float | None = Field(default=None, examples=[54.7833])
    longitude: float | None = Field(default=None, examples=[9.4333])
    gateway: str | None = Field(default=None, examples=["10.20.0.1"])
    group_id: str | None = None
    address: str | None = Field(default=None, examples=["1 Harbour Road, Northfield"])

    @property
    def site_id(self) -> str:
        """A site is at itself."""
        return self.id


def check_site(site: Site) -> None:
    """Raises Malformed when the id is reserved, the zone unknown, or one coordinate stands alone."""
    if site.id in RESERVED:
        raise Malformed("id", f"{site.id!r} is reserved for what belongs to no single site", "north")
    if not is_time_zone(site.time_zone):
        raise Malformed("time_zone", "must be a time zone of the IANA database", "Europe/Berlin")
    if (site.latitude is None) != (site.longitude is None):
        missing, example = ("latitude", "54.7833") if site.latitude is None else ("longitude", "9.4333")
        raise Malformed(missing, "latitude and longitude belong together", example)


def full_state(site: Site) -> SiteChanged:
    """What ``site.changed`` tells of the site."""
    return SiteChanged(**site.model_dump(exclude={"id"}))
