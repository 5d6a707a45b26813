"""Rules of sites: a short name that never changes, a time zone of the IANA database."""

from zoneinfo import available_timezones

from pydantic import Field

from shared.errors import Malformed
from shared.events import GROUP
from shared.resource import Resource

RESERVED = frozenset({GROUP})


class Site(Resource):
    """A hospital of the group."""

    id: str = Field(examples=["north"])
    name: str = Field(examples=["Northfield General Hospital"])
    time_zone: str = Field(examples=["Europe/Berlin"])


def check_site(site_id: str, time_zone: str) -> None:
    """Raises Malformed when the id is reserved or the zone is unknown."""
    if site_id in RESERVED:
        raise Malformed("id", f"{site_id!r} is reserved for what belongs to no single site", "north")
    if time_zone not in available_timezones():
        raise Malformed("time_zone", "must be a time zone of the IANA database", "Europe/Berlin")
