"""Rules of the audience: who hears what, and what to call a place or a thing that is not known (yet)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from shared.events.inventory import PersonRole
from shared.events.notifier import AlertNoticeKind, NoticeKind
from shared.time_zones import is_time_zone

Audience = Literal["everyone", "admins"]

BYSTANDERS: Sequence[PersonRole] = ("vendor", "privacy")
"""Who has no other role does not work with a site's systems, and is not told when they are down."""


@dataclass(frozen=True)
class Place:
    """A site as its people call it, and the IANA time zone that they live in."""

    name: str
    time_zone: str


@dataclass(frozen=True)
class Recipient:
    """A person with the address that holds now. ``is_suppressed``: the mail server has refused that address."""

    person_id: str
    name: str
    address: str
    is_active: bool
    is_suppressed: bool


def audience_of(kind: NoticeKind) -> Audience:
    """Alerts are for those who can mend things, all else for everyone who works with the systems."""
    return "admins" if kind in get_args(AlertNoticeKind) else "everyone"


def place_of(site_id: str, name: str | None, time_zone: str | None) -> Place:
    """The site by its id and in UTC where nothing better is known."""
    return Place(name or site_id, time_zone if time_zone and is_time_zone(time_zone) else "UTC")


def current_name(asset_id: str, told: str, known: Mapping[str, str]) -> str:
    """An asset's name of today, else the one that the event told, else its id."""
    return known.get(asset_id) or told.strip() or asset_id
