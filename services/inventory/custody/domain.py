"""Rules of custody: an unbroken chain of holders, in the order of time, that ends at a certified recycler."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field

from services.inventory.assets.domain import Asset
from services.inventory.recyclers.domain import RECYCLER_ID, Certificate, Recycler, certificate_on
from shared.errors import Conflict, Malformed
from shared.events import Instant
from shared.events.decommissioning import CustodyChanged, CustodyKind
from shared.events.inventory import LifecycleState
from shared.resource import Body, Id, Line, Moment, Resource

Moves = Mapping[LifecycleState, datetime]
"""When an asset came last into each of its states, as far as its moves were recorded."""

MAX_ASSETS = 200
CLOCK_MERCY = timedelta(minutes=5)
BEGINS_AT: LifecycleState = "retiring"
CLEAN_AT: LifecycleState = "sanitized"
UNCLEAN: frozenset[LifecycleState] = frozenset({"retiring", "migrated", "isolated"})
KNOWN_IN: frozenset[LifecycleState] = frozenset({"retiring", "migrated", "isolated", "sanitized", "disposed", "closed"})
"""The states in which an asset can go from hand to hand; what is in service is where its system is."""

STAYS: frozenset[CustodyKind] = frozenset({"sealed", "moved", "destroyed"})
"""What changes nothing about who has the asset; a move within the house may."""

SHOWS_SEAL: frozenset[CustodyKind] = frozenset({"shipped", "received", "picked_up"})
TAKES_AWAY: frozenset[CustodyKind] = frozenset({"picked_up", "destroyed"})


class Link(Body):
    """What happened to assets: who gave them to whom, when and where, under which seal, and who saw to it.

    ``recycler_id`` is named at a pickup, and where something is destroyed before one.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "asset_ids": ["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"],
                    "kind": "picked_up",
                    "from_holder": "IT store North",
                    "to_holder": "Greenloop Recycling",
                    "at": "2026-03-01T10:00:00Z",
                    "place": "Loading dock",
                    "seal": "S-20417",
                    "person": "Ada Berg",
                    "recycler_id": RECYCLER_ID,
                }
            ]
        }
    )

    asset_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_ASSETS)]
    kind: CustodyKind
    from_holder: Line
    to_holder: Line
    at: Moment
    place: Line
    seal: Line | None = None
    person: Line = Field(description="who saw to it, by name")
    recycler_id: Id | None = None


class Custody(Resource):
    """A link of an asset's chain of custody, as it was recorded; it never changes.

    ``certificate`` is what the recycler was certified for on the day, by the site's calendar.
    """

    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b32"])
    asset_id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"])
    site_id: str = Field(examples=["north"])
    number: int = Field(description="its place in the chain, from 1", examples=[3])
    kind: CustodyKind
    from_holder: str = Field(examples=["IT store North"])
    to_holder: str = Field(examples=["Greenloop Recycling"])
    at: Instant
    place: str = Field(examples=["Loading dock"])
    seal: str | None = Field(examples=["S-20417"])
    person: str = Field(examples=["Ada Berg"])
    recycler_id: str | None
    certificate: Certificate | None
    recorded_by: str = Field(examples=["alice"])
    recorded_at: Instant


def check_may_be_recorded(asset: Asset, belongs_to: Asset) -> None:
    """Raises Conflict unless the asset is on its way out, and what it belongs to is not closed with its dossier."""
    if asset.state not in KNOWN_IN:
        raise Conflict(f"{asset.kind} {asset.name} is {asset.state}; custody begins when it is {BEGINS_AT}")
    if belongs_to.state in ("closed", "cancelled"):
        raise Conflict(f"{belongs_to.kind} {belongs_to.name} is {belongs_to.state}, and so is its chain of custody")


def check_link(asset: Asset, chain: Sequence[Custody], moves: Moves, link: Link, now: datetime) -> None:
    """Raises Conflict or Malformed, naming the gap or the contradiction, unless the link continues the chain.

    Nothing is told of the time before the asset was on its way out, and only what is clean is picked up: what the
    recycler destroys goes to him as handed over or shipped, and is destroyed there.
    """
    if link.at > now + CLOCK_MERCY:
        raise Malformed("at", "must not lie in the future", now.isoformat(timespec="seconds"))
    _check_in_itself(link)
    _check_time(asset, moves, link)
    if chain:
        _check_follows(asset, chain[-1], link)
    _check_seal(asset, chain, link)
    if link.kind == "destroyed" and link.recycler_id is None and not is_taken(chain):
        raise Malformed("recycler_id", "must say who destroys it, for nobody has picked it up", RECYCLER_ID)


def _check_in_itself(link: Link) -> None:
    same = _is_same(link.from_holder, link.to_holder)
    if link.kind in STAYS and link.kind != "moved" and not same:
        raise Malformed("to_holder", f"who has it stays the same when it is {link.kind}", link.from_holder)
    if link.kind not in STAYS and same:
        raise Malformed("to_holder", f"must be another than from_holder when it is {link.kind}", "IT store North")
    if link.kind == "sealed" and link.seal is None:
        raise Malformed("seal", "must be the number of the seal", "S-20417")
    if link.kind == "picked_up" and link.recycler_id is None:
        raise Malformed("recycler_id", "must name the recycler", RECYCLER_ID)
    if link.kind not in TAKES_AWAY and link.recycler_id is not None:
        raise Malformed("recycler_id", "belongs to a pickup or a destruction", "null")


def _check_time(asset: Asset, moves: Moves, link: Link) -> None:
    _check_not_before(asset, moves, BEGINS_AT, link)
    if link.kind == "picked_up":
        if asset.state in UNCLEAN:
            raise Conflict(
                f"custody of {asset.name}: it is {asset.state}, and only what is {CLEAN_AT} is picked up; what the "
                "recycler destroys is handed over or shipped to him, and destroyed there"
            )
        _check_not_before(asset, moves, CLEAN_AT, link)


def _check_not_before(asset: Asset, moves: Moves, state: LifecycleState, link: Link) -> None:
    since = moves.get(state)
    if since is not None and link.at < since - CLOCK_MERCY:
        raise Conflict(
            f"custody of {asset.name}: {link.kind} at {link.at:%Y-%m-%d %H:%M} UTC lies before its move to {state} at "
            f"{since:%Y-%m-%d %H:%M} UTC"
        )


def _check_follows(asset: Asset, last: Custody, link: Link) -> None:
    where = f"custody of {asset.name}"
    if last.kind == "destroyed":
        raise Conflict(f"{where}: it was destroyed on {last.at:%Y-%m-%d}; nothing follows", last=last.id)
    if link.at < last.at:
        raise Conflict(
            f"{where}: {link.kind} at {link.at:%Y-%m-%d %H:%M} UTC lies before {last.kind} "
            f"at {last.at:%Y-%m-%d %H:%M} UTC",
            last=last.id,
        )
    if not _is_same(last.to_holder, link.from_holder):
        raise Conflict(
            f"{where}: gap between {last.to_holder!r}, who has it since {last.at:%Y-%m-%d %H:%M} UTC, and "
            f"{link.from_holder!r}, who is said to have given it away",
            last=last.id,
        )


def _check_seal(asset: Asset, chain: Sequence[Custody], link: Link) -> None:
    if link.kind == "sealed":
        return
    seal = next((one.seal for one in reversed(chain) if one.kind == "sealed"), None)
    where = f"custody of {asset.name}"
    if seal is None and link.seal is not None:
        raise Conflict(f"{where}: seal {link.seal} was seen, but none was put on; record the kind sealed first")
    if seal is not None and link.seal is None and link.kind in SHOWS_SEAL:
        raise Conflict(f"{where}: seal {seal} is on it; say which one was seen when it was {link.kind}")
    if seal is not None and link.seal is not None and not _is_same(seal, link.seal):
        raise Conflict(f"{where}: seal {seal} was put on, and seal {link.seal} was seen")


def certificate_for(link: Link, recycler: Recycler, time_zone: str) -> Certificate:
    """The recycler's certificate on the day of the link, by the site's calendar.

    Raises Malformed where it was picked up by another, Conflict where no certificate is valid on that day.
    """
    if link.kind == "picked_up" and not _is_same(link.to_holder, recycler.name):
        raise Malformed("to_holder", "must be the recycler that picks it up", recycler.name)
    return certificate_on(recycler, local_day(link.at, time_zone))


def local_day(at: datetime, time_zone: str) -> date:
    """The day of an instant by a site's calendar."""
    return at.astimezone(ZoneInfo(time_zone)).date()


def is_taken(chain: Sequence[Custody]) -> bool:
    """Whether a recycler has picked the asset up or destroyed it."""
    return any(one.kind in TAKES_AWAY for one in chain)


def takers(chain: Sequence[Custody]) -> frozenset[str]:
    """The recyclers that have picked it up or destroyed it."""
    return frozenset(one.recycler_id for one in chain if one.recycler_id is not None)


def why_incomplete(chain: Sequence[Custody]) -> str | None:
    """Why a chain does not reach its end; None where it does."""
    if not chain:
        return "no custody is recorded"
    if is_taken(chain):
        return None
    last = chain[-1]
    return f"{last.to_holder!r} has it since {last.at:%Y-%m-%d}, and no recycler has picked it up"


def told(link: Custody) -> CustodyChanged:
    """What ``custody.changed`` tells of a link."""
    shown = link.model_dump(include=set(CustodyChanged.model_fields) - {"certificate"})
    certificate = link.certificate and link.certificate.told()
    return CustodyChanged(custody_id=link.id, certificate=certificate, **shown)


def _is_same(one: str, other: str) -> bool:
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()
